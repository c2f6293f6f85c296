"""`manage.py weights` through its real child process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command


def test_weights_lists_each_file_with_source_licence_size_and_state(
    settings: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.DATA_DIR = tmp_path

    call_command("weights")

    said = capsys.readouterr().out
    assert "missing     musetalkV15/unet.pth  3.2 GiB\n" in said
    assert (
        "from https://huggingface.co/TMElyralab/MuseTalk/resolve/main/musetalkV15/unet.pth" in said
    )
    assert "licence: MIT" in said
    assert "wav2lip/wav2lip256.pth" in said
    assert f"Files belong into {tmp_path}/weights. 0 of 7 networks are ready." in said


def test_weights_ends_with_status_1_when_a_file_is_not_the_published_one(
    settings: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.DATA_DIR = tmp_path
    (tmp_path / "weights/whisper").mkdir(parents=True)
    (tmp_path / "weights/whisper/tiny.pt").write_bytes(b"<html>not found</html>")

    with pytest.raises(SystemExit, match="1"):
        call_command("weights", "--json")

    files = [file for part in json.loads(capsys.readouterr().out) for file in part["files"]]
    assert {file["state"] for file in files} == {"missing", "wrong hash"}
    (wrong,) = [file for file in files if file["state"] == "wrong hash"]
    assert wrong["path"] == "whisper/tiny.pt"
    assert wrong["expected_sha256"].startswith("65147644a518d12f")
