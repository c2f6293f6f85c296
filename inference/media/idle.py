"""The idle loop: a short seamless film of the presenter that the core can play from its first tick.

The file holds raw I420 frames one after the other; a JSON file beside it says their size. Any
process can tell where it lies without importing an engine.
"""

from __future__ import annotations

import hashlib
import json
import mmap
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    import numpy as np

_FIELDS: Final = ("width_px", "height_px", "frame_samples", "framing", "background", "settings")
_INFERENCE: Final = Path(__file__).parent.parent
_ENGINES: Final = _INFERENCE / "engines" / "face"
# Hands are held where nothing covers them.
_PLACES: Final = _INFERENCE / "media" / "places.py"


class IdleLoopError(Exception):
    """The idle loop is missing or damaged; building it again helps."""


class IdleSetup(Protocol):
    """What decides how the loop looks; `engines.base.FaceSetup` is one."""

    @property
    def width_px(self) -> int: ...
    @property
    def height_px(self) -> int: ...
    @property
    def frame_samples(self) -> int: ...
    @property
    def framing(self) -> str: ...
    @property
    def background(self) -> str: ...
    @property
    def settings(self) -> dict[str, Any]: ...
    @property
    def cache_folder(self) -> str: ...


def idle_loop_path(setup: IdleSetup, *, engine: str = "puppet") -> Path:
    """Where the loop of this setup lies once it is built; other art or code gives another name."""
    look = {name: getattr(setup, name) for name in _FIELDS}
    text = json.dumps([engine, engine_digest(engine), look], sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(text.encode()).hexdigest()[:20]
    return Path(setup.cache_folder) / f"idle-{engine}-{digest}.i420"


@lru_cache
def engine_digest(engine: str) -> str:
    """A name for the exact art and code of a face engine, so that no cache outlives them."""
    digest = hashlib.sha256()
    for path in (*sorted((_ENGINES / engine).rglob("*")), _PLACES):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.relative_to(_INFERENCE).as_posix().encode() + b"\0")
            digest.update(path.read_bytes())
    return digest.hexdigest()[:20]


def sidecar_path(path: Path) -> Path:
    """The JSON file that describes a loop: width, height, frame_samples, frames."""
    return path.with_suffix(".json")


@dataclass(frozen=True, slots=True)
class IdleLoop:
    """An open loop. pictures: (frames, height * 3 // 2, width) uint8, read-only, mapped."""

    width_px: int
    height_px: int
    frame_samples: int
    frames: int
    pictures: np.ndarray[Any, np.dtype[np.uint8]]

    def frame(self, index: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """The picture of any frame number, (height * 3 // 2, width): the loop goes round."""
        picture: np.ndarray[Any, np.dtype[np.uint8]] = self.pictures[index % self.frames]
        return picture


def open_idle_loop(path: Path) -> IdleLoop:
    """Map a loop read-only. Raises IdleLoopError when it is missing or not what it says."""
    # Only the core needs arrays; whoever merely asks for the path stays light.
    import numpy as np

    width, height, frame_samples, frames = _read_sidecar(path)
    expected_bytes = frames * width * height * 3 // 2
    try:
        with path.open("rb") as file:
            memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise IdleLoopError(f"the idle loop {path} cannot be opened: {error}") from error
    if len(memory) != expected_bytes:
        raise IdleLoopError(
            f"the idle loop {path} holds {len(memory)} bytes instead of {expected_bytes}"
        )
    pictures = np.frombuffer(memory, np.uint8).reshape(frames, height * 3 // 2, width)
    return IdleLoop(width, height, frame_samples, frames, pictures)


def _read_sidecar(path: Path) -> tuple[int, int, int, int]:
    try:
        values = json.loads(sidecar_path(path).read_text())
        numbers = [values[name] for name in ("width", "height", "frame_samples", "frames")]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IdleLoopError(f"the idle loop {path} has no readable description: {error}") from error
    if not all(type(number) is int and number > 0 for number in numbers):
        raise IdleLoopError(f"the idle loop {path} has a description with wrong numbers: {values}")
    width, height, frame_samples, frames = numbers
    return width, height, frame_samples, frames
