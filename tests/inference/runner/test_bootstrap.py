"""A runner is told its secrets on stdin or in a file, never in argv."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from inference.runner.bootstrap import BootstrapError, read_arguments

DOCUMENT = {
    "broadcast": "b",
    "lease_epoch": 2,
    "token": "canary-token",
    "web_url": "http://127.0.0.1:8000",
    "run_folder": "run/b",
}


def test_document_on_stdin(tmp_path: Path) -> None:
    stdin = io.BytesIO(json.dumps(DOCUMENT).encode() + b"\nmore")

    arguments = read_arguments(["--life-fd", "5"], stdin)

    assert arguments.bootstrap.lease_epoch == 2
    assert arguments.life_fd == 5
    assert "canary-token" not in repr(arguments)


def test_document_in_a_secret_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(json.dumps(DOCUMENT))

    arguments = read_arguments(["--secret-file", str(path)], io.BytesIO())

    assert arguments.bootstrap.token == "canary-token"
    assert arguments.life_fd is None


@pytest.mark.parametrize("raw", [b"", b"canary-token\n", b"[]\n", b'{"broadcast": "b"}\n'])
def test_broken_document_is_refused_without_quoting_it(raw: bytes) -> None:
    with pytest.raises(BootstrapError) as refusal:
        read_arguments([], io.BytesIO(raw))

    assert "canary-token" not in str(refusal.value)


def test_missing_secret_file_is_named_in_words(tmp_path: Path) -> None:
    with pytest.raises(BootstrapError, match="No such file"):
        read_arguments(["--secret-file", str(tmp_path / "none")], io.BytesIO())
