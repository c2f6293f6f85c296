"""A built avatar on disk: pictures, boxes, masks and latents that many runners map at once.

    manifest.json  what it is, its clips, and size and SHA-256 of each other file
    frames.i420    (n, height * 3 // 2, width) uint8
    boxes.npy      (n, 4) int32 px: x0 y0 x1 y1 of each face, ends excluded
    rois.npy       (n, 4) int32 px, even: the part of each picture that its mask covers
    masks.npy      uint8, the masks of all ROIs one after the other, row by row
    and one of what its engine was given of each frame:
    latents.npy    (n, 8, height, width) float16 of MuseTalk's networks
    faces.npy      (n, side, side, 3) uint8 BGR, the faces as Wav2Lip sees them
    points.npy     (n, 68, 2) float32 px, the points that a photo is moved by

Nothing in it is executable: JSON and plain arrays only. What does not fit its manifest is refused.
"""

from __future__ import annotations

import hashlib
import json
import re
import tokenize
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from inference.engines.base import EngineError, Json

FORMAT: Final = "livestudio-face-bundle"
FORMAT_VERSION: Final = 1
MANIFEST: Final = "manifest.json"
ARRAYS: Final = ("boxes.npy", "rois.npy", "masks.npy")
LATENTS: Final = "latents.npy"
FACES: Final = "faces.npy"
POINTS: Final = "points.npy"
GIVEN: Final[dict[str, Any]] = {LATENTS: np.float16, FACES: np.uint8, POINTS: np.float32}
FRAMES: Final = "frames.i420"
PREVIEWS: Final = ("preview.png", "preview.mp4")
REQUIRED: Final = (FRAMES, *ARRAYS)
IDLE: Final = "idle"

MAX_MANIFEST_BYTES: Final = 1 << 20
MAX_PIXELS: Final = 4096 * 2304
MAX_FRAMES: Final = 3000
MAX_BYTES: Final = 8 << 30
MAX_CLIPS: Final = 32
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_CLIP_NAME: Final = re.compile(r"[a-z0-9_]{1,40}")
_BLOCK_BYTES: Final = 1 << 20
# Of 300-W's 68 points, two ends of a part lie further apart in any face that is taken.
_MIN_PART_PX: Final = 4.0

# All that NumPy was seen to raise over headers with wrong texts.
NPY_DAMAGE: Final = (
    ArithmeticError, EOFError, MemoryError, RecursionError, SyntaxError, TypeError, ValueError,
    tokenize.TokenError,
)  # fmt: skip

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
Numbers = np.ndarray[Any, np.dtype[np.int32]]
Latents = np.ndarray[Any, np.dtype[np.float16]]


class BundleError(EngineError):
    """The bundle is missing, damaged, or not what it says. Building the avatar again helps."""

    def __init__(self, message: str) -> None:
        super().__init__("bad_bundle", message, retryable=False)


@dataclass(frozen=True, slots=True)
class Clip:
    """Frames first … first + count - 1. `idle` goes to and fro; any other plays once.

    enter, leave: idle frames that it fits behind and before; None: any, with a cross-fade.
    """

    name: str
    first: int
    count: int
    enter: int | None = None
    leave: int | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle says about itself. frame_rate: of the pictures, per second.

    version: of the networks that made the latents. face_px, latent_px: sides of what they see, 0
    where there are none. notes: what the host should know of the build.
    """

    engine: str
    version: str
    width_px: int
    height_px: int
    frames: int
    frame_rate: int
    face_px: int
    latent_px: int
    clips: tuple[Clip, ...]
    options: Json = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    files: dict[str, Json] = field(default_factory=dict)

    def clip(self, name: str) -> Clip | None:
        return next((clip for clip in self.clips if clip.name == name), None)


@dataclass(frozen=True, slots=True)
class Film:
    """Pictures and where their mouths are. masks: flat; `mask(n)` has the shape of ROI n."""

    frames: Pixels
    boxes: Numbers
    rois: Numbers
    masks: Pixels
    offsets: np.ndarray[Any, np.dtype[np.int64]]

    @property
    def width_px(self) -> int:
        return int(self.frames.shape[2])

    @property
    def height_px(self) -> int:
        return int(self.frames.shape[1]) * 2 // 3

    def mask(self, index: int) -> Pixels:
        """The mask of a frame, (height, width) of its ROI, 255 where the face is repainted."""
        x0, y0, x1, y1 = self.rois[index].tolist()
        flat = self.masks[self.offsets[index] : self.offsets[index + 1]]
        return flat.reshape(y1 - y0, x1 - x0)


@dataclass(frozen=True, slots=True)
class Bundle:
    """An open bundle; its arrays are mapped read-only. given: what its engine has of each frame."""

    folder: Path
    manifest: Manifest
    film: Film
    given: dict[str, Any]
    digest: str

    @property
    def latents(self) -> Latents:
        """(n, 8, height, width). Raises BundleError when it was built for an engine without."""
        latents: Latents = self._given(LATENTS)
        return latents

    @property
    def faces(self) -> Pixels:
        """(n, side, side, 3) BGR. Raises BundleError."""
        faces: Pixels = self._given(FACES)
        return faces

    @property
    def seen_file(self) -> Path:
        """Where what its networks see of each frame lies. Raises BundleError."""
        name = LATENTS if LATENTS in self.given else FACES
        self._given(name)
        return self.folder / name

    @property
    def points(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        """(n, 68, 2) px. Raises BundleError."""
        points: np.ndarray[Any, np.dtype[np.float32]] = self._given(POINTS)
        return points

    def _given(self, name: str) -> Any:
        if name not in self.given:
            raise BundleError(f"it has no {name}: it was built for another engine.")
        return self.given[name]


def open_bundle(folder: Path, *, verify_hashes: bool = False) -> Bundle:
    """Map a bundle. Raises BundleError. verify_hashes: read every byte, after it was moved."""
    raw = _read_manifest_bytes(folder)
    manifest = parse_manifest(raw)
    for name, entry in manifest.files.items():
        _check_file(folder / name, entry, verify_hash=verify_hashes)
    film = open_film(folder, manifest)
    given = {
        name: _array(folder / name, dtype)
        for name, dtype in GIVEN.items()
        if name in manifest.files
    }
    _check_given(manifest, given)
    return Bundle(folder, manifest, film, given, hashlib.sha256(raw).hexdigest()[:20])


def _check_given(manifest: Manifest, given: dict[str, Any]) -> None:
    latent, face = manifest.latent_px, manifest.face_px
    shapes = {LATENTS: (8, latent, latent), FACES: (face, face, 3), POINTS: (68, 2)}
    for name, array in given.items():
        if array.shape != (manifest.frames, *shapes[name]):
            raise BundleError(f"its {name} does not have the shape of its faces.")
    if POINTS in given:
        _check_points(given[POINTS], np.array([manifest.width_px, manifest.height_px]))


def _check_points(points: np.ndarray[Any, np.dtype[np.float32]], size: Any) -> None:
    """What is bent along them needs a face with some width: jaw, mouth and eyes, and a height."""
    if not np.isfinite(points).all():
        raise BundleError("its points are no numbers.")
    is_inside = (points >= 0).all() and (points <= size).all()
    across = points[:, [0, 48, 36, 42, 27]] - points[:, [16, 54, 39, 45, 8]]
    if not is_inside or np.hypot(*across.transpose(2, 0, 1)).min() < _MIN_PART_PX:
        raise BundleError("its points make no face.")


def open_film(folder: Path, manifest: Manifest) -> Film:
    """Map pictures, boxes and masks alone. Raises BundleError."""
    shape = (manifest.frames, manifest.height_px * 3 // 2, manifest.width_px)
    try:
        frames = np.memmap(folder / FRAMES, np.uint8, mode="r")
    except (OSError, ValueError) as error:
        raise BundleError(f"its pictures cannot be read: {error}") from error
    if frames.size != int(np.prod(shape)):
        raise BundleError("its pictures are not as many bytes as it says.")
    boxes, rois = (_array(folder / name, np.int32) for name in ("boxes.npy", "rois.npy"))
    masks = _array(folder / "masks.npy", np.uint8)
    return make_film(frames.reshape(shape), boxes, rois, masks)


def make_film(frames: Pixels, boxes: Numbers, rois: Numbers, masks: Pixels) -> Film:
    """A film of arrays that fit each other. Raises BundleError."""
    count, rows, width = frames.shape
    height = rows * 2 // 3
    limits = np.array([width, height, width, height], np.int32)
    for name, boxed in (("boxes", boxes), ("ROIs", rois)):
        if boxed.shape != (count, 4):
            raise BundleError(f"it has {len(boxed)} {name} for {count} frames.")
        is_inside = (boxed >= 0) & (boxed <= limits)
        if not is_inside.all() or (boxed[:, 2:] <= boxed[:, :2]).any():
            raise BundleError(f"its {name} reach out of the picture.")
    if (rois % 2).any():
        raise BundleError("its ROIs have odd edges.")
    if (np.minimum(boxes, rois)[:, 2:] <= np.maximum(boxes, rois)[:, :2]).any():
        raise BundleError("its masks lie beside its faces.")
    sizes = rois[:, 2:].astype(np.int64) - rois[:, :2]
    offsets = np.concatenate([[0], np.cumsum(sizes[:, 0] * sizes[:, 1])])
    if masks.shape != (int(offsets[-1]),):
        raise BundleError("its masks do not have the size of its ROIs.")
    return Film(frames, boxes, rois, masks, offsets)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Describe the files that lie in `folder`; last of all, a bundle without it is none."""
    names = [*REQUIRED, *(name for name in (*GIVEN, *PREVIEWS) if (folder / name).is_file())]
    files = {
        name: {"bytes": (folder / name).stat().st_size, "sha256": file_hash(folder / name)}
        for name in names
    }
    values = {**asdict(manifest), "files": files}
    document = {"format": FORMAT, "format_version": FORMAT_VERSION, **values}
    (folder / MANIFEST).write_text(json.dumps(document, indent=1, sort_keys=True))


def file_hash(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def parse_manifest(raw: bytes) -> Manifest:
    """The manifest in `raw`, checked number by number. Raises BundleError."""
    try:
        values = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BundleError("its manifest is not JSON.") from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise BundleError("this is not a face bundle.")
    if values.get("format_version") != FORMAT_VERSION:
        written = values.get("format_version")
        raise BundleError(f"its format is version {written!r}; this build reads {FORMAT_VERSION}.")
    try:
        return _parse_values(values)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(f"its manifest is incomplete or wrong: {error}.") from error


def _parse_values(values: Json) -> Manifest:
    width, height = _number(values, "width_px", 16, 4096), _number(values, "height_px", 16, 4096)
    if width % 2 or height % 2 or width * height > MAX_PIXELS:
        raise BundleError(f"pictures of {width}x{height} are not taken.")
    frames = _number(values, "frames", 1, MAX_FRAMES)
    return Manifest(
        engine=_text(values, "engine"),
        version=_text(values, "version"),
        width_px=width,
        height_px=height,
        frames=frames,
        frame_rate=_number(values, "frame_rate", 1, 60),
        face_px=_number(values, "face_px", 0, 1024),
        latent_px=_number(values, "latent_px", 0, 128),
        clips=_clips(values["clips"], frames),
        options=dict(values.get("options", {})),
        notes=tuple(str(note)[:300] for note in values.get("notes", ())[:50]),
        files=_files(values["files"]),
    )


def _clips(values: Any, frames: int) -> tuple[Clip, ...]:
    clips = tuple(
        Clip(
            name=_text(item, "name"),
            first=_number(item, "first", 0, frames - 1),
            count=_number(item, "count", 1, frames),
            enter=_optional(item, "enter", frames),
            leave=_optional(item, "leave", frames),
        )
        for item in values
    )
    names = [clip.name for clip in clips]
    if not 1 <= len(clips) <= MAX_CLIPS or names[0] != IDLE or len(set(names)) < len(names):
        raise ValueError("clips must begin with `idle`, each name once")
    if not all(_CLIP_NAME.fullmatch(name) for name in names):
        raise ValueError("names of clips are small letters, digits and _")
    if any(clip.first + clip.count > frames for clip in clips):
        raise ValueError("a clip ends behind the last frame")
    return clips


def _files(values: Json) -> dict[str, Json]:
    names = set(values)
    if not set(REQUIRED) <= names or not names <= {*REQUIRED, *GIVEN, *PREVIEWS}:
        raise ValueError("it must name the files of a bundle and no others")
    if len(names & set(GIVEN)) != 1:
        raise ValueError(f"it must hold one of {', '.join(GIVEN)}")
    total = 0
    for entry in values.values():
        total += _number(entry, "bytes", 1, MAX_BYTES)
        if not _HASH.fullmatch(_text(entry, "sha256")):
            raise ValueError("a hash is none")
    if total > MAX_BYTES:
        raise ValueError("its files are larger than 8 GiB")
    return {name: dict(entry) for name, entry in values.items()}


def _number(values: Json, name: str, lowest: int, highest: int) -> int:
    value = values[name]
    if type(value) is not int or not lowest <= value <= highest:
        raise ValueError(f"{name} must lie between {lowest} and {highest}")
    return value


def _optional(values: Json, name: str, frames: int) -> int | None:
    return None if values.get(name) is None else _number(values, name, 0, frames - 1)


def _text(values: Json, name: str) -> str:
    value = values[name]
    if not isinstance(value, str) or len(value) > 200:
        raise ValueError(f"{name} must be a short text")
    return value


def _read_manifest_bytes(folder: Path) -> bytes:
    try:
        with (folder / MANIFEST).open("rb") as file:
            raw = file.read(MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        raise BundleError(f"there is no bundle in {folder.name}.") from error
    if len(raw) > MAX_MANIFEST_BYTES:
        raise BundleError("its manifest is larger than 1 MiB.")
    return raw


def _check_file(path: Path, entry: Json, *, verify_hash: bool) -> None:
    if path.is_symlink() or not path.is_file():
        raise BundleError(f"{path.name} is missing or no plain file.")
    if path.stat().st_size != entry["bytes"]:
        raise BundleError(
            f"{path.name} has {path.stat().st_size} bytes instead of {entry['bytes']}."
        )
    if verify_hash and file_hash(path) != entry["sha256"]:
        raise BundleError(f"{path.name} was altered: its SHA-256 is another one.")


def _array(path: Path, dtype: Any) -> Any:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, *NPY_DAMAGE) as error:
        raise BundleError(f"{path.name} is no array of numbers.") from error
    if not isinstance(array, np.ndarray) or array.dtype != dtype:
        raise BundleError(f"{path.name} holds another kind of numbers.")
    return array
