"""Weights that an operator fetches: what each file is, whether it is here, and whether it is right.

Weights are never in the repository and nothing downloads them by itself: their licences are for the
operator to read. They lie in one folder, under the names that their publishers gave them.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from inference.engines.base import EngineError

FileState = Literal["present", "missing", "wrong hash"]

# Modules with a table PARTS; imported by name so that this module knows no engine.
MANIFESTS: Final = (
    "inference.engines.face.musetalk.weights",
    "inference.engines.face.wav2lip.weights",
)
RECORD_NAME: Final = "sha256.json"
_BLOCK_BYTES: Final = 1 << 20


class WeightsError(EngineError):
    """A file of weights is missing or is not what it should be. Retrying does not help."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message, retryable=False)


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """One file as its publisher offers it.

    path: below the weights folder. also_at: other paths that are in use for the same file.
    sha256: as published; None where it is not known: that of the first file seen is recorded.
    """

    path: str
    source: str
    licence: str
    size_bytes: int
    sha256: str | None
    also_at: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WeightsPart:
    """One network. Any one of `choices` is enough; the first complete one is loaded."""

    name: str
    needed_for: str
    choices: tuple[tuple[WeightsFile, ...], ...]

    def files(self) -> tuple[WeightsFile, ...]:
        """Each file of all choices once."""
        return tuple(dict.fromkeys(file for choice in self.choices for file in choice))


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found of one file. sha256: of what lies there; expected: published or recorded."""

    file: WeightsFile
    state: FileState
    found_at: Path | None = None
    sha256: str | None = None
    expected: str | None = None


@dataclass(slots=True)
class WeightsFolder:
    """The folder of all weights, `weights/` in the data folder."""

    folder: Path
    _record: dict[str, dict[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        self._record = _read_record(self.folder / RECORD_NAME)

    def examine(self, file: WeightsFile) -> Examined:
        """Compare a file with its published hash, else with the one that was recorded first."""
        found = self._find(file)
        if found is None:
            return Examined(file, "missing")
        name = str(found.relative_to(self.folder))
        expected = file.sha256 or self._record.get(name, {}).get("sha256")
        actual = self._hash(found, name)
        if expected is None:
            expected = self._remember(found, name, actual)
        elif actual == expected:
            self._remember(found, name, actual)
        state: FileState = "present" if actual == expected else "wrong hash"
        return Examined(file, state, found, actual, expected)

    def find(self, part: WeightsPart) -> list[Path]:
        """Where the files of the first complete choice lie, in its order.

        Raises WeightsError that names each missing or wrong file, its source, its licence, and
        where to put it.
        """
        for choice in part.choices:
            if all(self._find(file) for file in choice):
                examined = [self.examine(file) for file in choice]
                wrong = [item for item in examined if item.state != "present"]
                if wrong:
                    raise self._wrong(part, wrong[0])
                return [item.found_at for item in examined if item.found_at]
        raise self._missing(part)

    def _find(self, file: WeightsFile) -> Path | None:
        paths = (self.folder / path for path in (file.path, *file.also_at))
        return next((path for path in paths if path.is_file()), None)

    def _hash(self, path: Path, name: str) -> str:
        """SHA-256; the recorded one while size and time of change are the recorded ones."""
        known = self._record.get(name, {})
        status = path.stat()
        if (known.get("size"), known.get("modified_ns")) == (status.st_size, status.st_mtime_ns):
            return str(known["sha256"])
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
        return digest.hexdigest()

    def _remember(self, path: Path, name: str, sha256: str) -> str:
        status = path.stat()
        entry = {"sha256": sha256, "size": status.st_size, "modified_ns": status.st_mtime_ns}
        if self._record.get(name) != entry:
            self._record[name] = entry
            # In a read-only folder nothing is remembered and files are hashed each time.
            with contextlib.suppress(OSError):
                _write_record(self.folder / RECORD_NAME, self._record)
        return sha256

    def _missing(self, part: WeightsPart) -> WeightsError:
        """About the choice of which most is there: that is the one somebody is putting together."""
        gaps = [[file for file in choice if not self._find(file)] for choice in part.choices]
        files = min(gaps, key=len)
        named = ", ".join(f"{file.path} ({file.source})" for file in files)
        licence = " / ".join(dict.fromkeys(file.licence for file in files))
        return WeightsError(
            "weights_missing",
            f"{part.name} lacks weights. Put into `weights/` in the data folder: {named}. "
            f"Licence: {licence}. See `manage.py weights`.",
        )

    def _wrong(self, part: WeightsPart, item: Examined) -> WeightsError:
        """Named as in the list of weights: where the data folder lies is not for everybody."""
        file = item.file
        name = item.found_at.relative_to(self.folder) if item.found_at else file.path
        if file.sha256:
            advice = f"Fetch it again from {file.source}."
        else:
            advice = (
                "It has changed since it was first used. If that was meant, delete its entry in "
                f"`weights/sha256.json`; else fetch it again from {file.source}."
            )
        return WeightsError(
            "weights_wrong",
            f"{part.name}: `weights/{name}` in the data folder is not the expected file. Its "
            f"SHA-256 is {item.sha256}, expected is {item.expected}. {advice} "
            f"Licence: {file.licence}.",
        )


def list_parts() -> list[WeightsPart]:
    """Every network that this build can load."""
    modules = (importlib.import_module(name) for name in MANIFESTS)
    return [part for module in modules for part in module.PARTS]


def describe(folder: WeightsFolder, parts: list[WeightsPart]) -> list[dict[str, Any]]:
    """What `manage.py weights` shows, as JSON."""
    return [_describe_part(folder, part) for part in parts]


def _describe_part(folder: WeightsFolder, part: WeightsPart) -> dict[str, Any]:
    examined = {file: folder.examine(file) for file in part.files()}
    complete = [[examined[file].state == "present" for file in choice] for choice in part.choices]
    return {
        "name": part.name,
        "needed_for": part.needed_for,
        "ready": any(all(states) for states in complete),
        "choices": [[file.path for file in choice] for choice in part.choices],
        "files": [_describe_file(item) for item in examined.values()],
    }


def _describe_file(item: Examined) -> dict[str, Any]:
    file = item.file
    return {
        "path": file.path,
        "state": item.state,
        "found_at": str(item.found_at) if item.found_at else None,
        "source": file.source,
        "licence": file.licence,
        "size_bytes": file.size_bytes,
        "sha256": item.sha256,
        "expected_sha256": item.expected or file.sha256,
        "is_hash_known": file.sha256 is not None,
    }


def _read_record(path: Path) -> dict[str, dict[str, Any]]:
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(record, dict):
        return {}
    return {name: entry for name, entry in record.items() if _is_entry(entry)}


def _is_entry(entry: object) -> bool:
    return isinstance(entry, dict) and entry.keys() == {"sha256", "size", "modified_ns"}


def _write_record(path: Path, record: dict[str, dict[str, Any]]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(record, indent=1, sort_keys=True))
    temporary.replace(path)
