"""Weights in a folder: found, hashed once, and held against what they should be."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from inference.engines import weights
from inference.engines.weights import (
    WeightsError,
    WeightsFile,
    WeightsFolder,
    WeightsPart,
    describe,
)

CONTENT = b"numbers"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def file(path: str = "net/a.bin", sha256: str | None = SHA256, also_at: str = "") -> WeightsFile:
    others = (also_at,) if also_at else ()
    return WeightsFile(path, f"https://example.org/{path}", "MIT", len(CONTENT), sha256, others)


def part(*choices: tuple[WeightsFile, ...]) -> WeightsPart:
    return WeightsPart("Net", "testing", choices)


def put(folder: Path, path: str, content: bytes = CONTENT) -> Path:
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return target


def test_published_hash_decides_between_present_and_wrong(tmp_path: Path) -> None:
    assert WeightsFolder(tmp_path).examine(file()).state == "missing"

    put(tmp_path, "net/a.bin")
    assert WeightsFolder(tmp_path).examine(file()).state == "present"

    put(tmp_path, "net/a.bin", b"other numbers")
    found = WeightsFolder(tmp_path).examine(file())
    assert (found.state, found.expected) == ("wrong hash", SHA256)


def test_file_is_found_under_its_other_name(tmp_path: Path) -> None:
    put(tmp_path, "old/a.bin")

    found = WeightsFolder(tmp_path).examine(file(also_at="old/a.bin"))

    assert (found.state, found.found_at) == ("present", tmp_path / "old/a.bin")


def test_without_a_published_hash_the_first_file_seen_is_the_right_one(tmp_path: Path) -> None:
    unpublished = file(sha256=None)
    put(tmp_path, "net/a.bin")
    assert WeightsFolder(tmp_path).examine(unpublished).state == "present"

    put(tmp_path, "net/a.bin", b"other numbers")

    assert WeightsFolder(tmp_path).examine(unpublished).state == "wrong hash"
    with pytest.raises(WeightsError, match="changed since it was first used.*delete its entry"):
        WeightsFolder(tmp_path).find(part((unpublished,)))
    assert WeightsFolder(tmp_path).examine(unpublished).state == "wrong hash"


def test_what_has_not_changed_is_hashed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "net/a.bin")
    WeightsFolder(tmp_path).examine(file())
    hashed = []
    original = hashlib.sha256
    monkeypatch.setattr(weights.hashlib, "sha256", lambda: hashed.append(1) or original())

    assert WeightsFolder(tmp_path).examine(file()).state == "present"
    assert hashed == []

    os.utime(tmp_path / "net/a.bin", ns=(1, 1))
    assert WeightsFolder(tmp_path).examine(file()).state == "present"
    assert hashed == [1]


@pytest.mark.parametrize("record", ["", "[]", '{"net/a.bin": {"size": 7}}', '{"net/a.bin": 3}'])
def test_damaged_record_is_made_anew(tmp_path: Path, record: str) -> None:
    put(tmp_path, "net/a.bin")
    put(tmp_path, weights.RECORD_NAME, record.encode())

    assert WeightsFolder(tmp_path).examine(file()).state == "present"
    assert json.loads((tmp_path / weights.RECORD_NAME).read_text())["net/a.bin"]["sha256"] == SHA256


def test_folder_that_cannot_be_written_is_hashed_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("read-only")

    put(tmp_path, "net/a.bin")
    monkeypatch.setattr(weights, "_write_record", refuse)

    assert WeightsFolder(tmp_path).examine(file()).state == "present"
    assert not (tmp_path / weights.RECORD_NAME).exists()


def test_first_complete_choice_is_taken(tmp_path: Path) -> None:
    choices = part((file("a.json"), file("a.bin")), (file("a.json"), file("a.safetensors")))
    put(tmp_path, "a.json")
    put(tmp_path, "a.safetensors")

    found = WeightsFolder(tmp_path).find(choices)

    assert found == [tmp_path / "a.json", tmp_path / "a.safetensors"]


def test_missing_file_of_the_nearest_choice_is_named(tmp_path: Path) -> None:
    choices = part((file("a.json"), file("a.bin")), (file("b.json"), file("b.bin")))
    put(tmp_path, "b.json")

    with pytest.raises(WeightsError) as caught:
        WeightsFolder(tmp_path).find(choices)

    assert caught.value.message == (
        "Net lacks weights. Put into `weights/` in the data folder: b.bin "
        "(https://example.org/b.bin). Licence: MIT. See `manage.py weights`."
    )


def test_description_names_each_file_once_and_says_what_is_ready(tmp_path: Path) -> None:
    choices = part((file("a.json"), file("a.bin")), (file("a.json"), file("b.bin")))
    put(tmp_path, "a.json")
    put(tmp_path, "b.bin")

    (described,) = describe(WeightsFolder(tmp_path), [choices])

    assert described["ready"]
    assert [(item["path"], item["state"]) for item in described["files"]] == [
        ("a.json", "present"),
        ("a.bin", "missing"),
        ("b.bin", "present"),
    ]
