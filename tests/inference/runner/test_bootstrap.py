"""A runner is told its secrets on stdin or in a file, never in argv."""

from __future__ import annotations

import io
import json
import subprocess
import sys
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


def test_output_moves_to_the_log_of_the_run(tmp_path: Path) -> None:
    log = tmp_path / "runner.log"
    program = (
        "import os, sys; from inference.runner.bootstrap import move_output; print('before');"
        "move_output(''); move_output(sys.argv[1]); print('out'); os.write(2, b'error\\n')"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, str(log)], capture_output=True, text=True, check=True
    )

    assert (done.stdout, done.stderr) == ("before\n", "")
    assert sorted(log.read_text().split()) == ["error", "out"]
    assert log.stat().st_mode & 0o777 == 0o600
