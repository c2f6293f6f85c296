"""Take over avatars that were made elsewhere: folders of MuseTalk, of LiveTalking, and bundles.

    full_imgs/NNNNNNNN.png   the pictures: MuseTalk keeps them there and back, LiveTalking once
    mask/NNNNNNNN.png        what of the crop around each face is pasted
    coords.pkl               box of each face: x0 y0 x1 y1
    mask_coords.pkl          the crop around each face
    latents.pt               a list of (1, 8, side, side) tensors
    avator_info.json         version and bbox_shift (sic)

Nothing in them is trusted: archives and pickles are read by `archives` and `pickles`, latents with
`weights_only=True`, and each picture is judged by its header before it is decoded.
"""

from __future__ import annotations

import importlib
import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import cv2
import numpy as np
import torch
from PIL import Image

from inference.catalog import get_engine
from inference.engines.base import EngineError, Json
from inference.engines.face.archives import NO_AVATAR
from inference.engines.face.musetalk import checkpoints, geometry
from inference.engines.face.musetalk.building import Report
from inference.engines.face.musetalk.bundle import (
    FRAMES,
    GIVEN,
    IDLE,
    LATENTS,
    MANIFEST,
    MAX_FRAMES,
    MAX_PIXELS,
    REQUIRED,
    BundleError,
    Clip,
    Latents,
    Manifest,
    Numbers,
    Pixels,
    make_film,
    open_bundle,
    write_manifest,
)
from inference.engines.face.musetalk.pickles import read_boxes
from inference.engines.weights import WeightsError

FRAME_RATE: Final = 25
MAX_FILM_BYTES: Final = 3 << 30
MAX_LATENTS_BYTES: Final = 1 << 30
_MIN_BOX_PX: Final = 8
_MIN_PICTURE_PX: Final = 16
_PICTURES: Final = (".png", ".jpg", ".jpeg")
_FORMATS: Final = ("PNG", "JPEG")
_NUMBERS: Final = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_VERSIONS: Final = {"v15": "v1.5", "v1.5": "v1.5", "v1": "v1"}


class AvatarFolderError(EngineError):
    """The avatar cannot be taken over; the message says why."""

    def __init__(self, message: str) -> None:
        super().__init__("bad_avatar_folder", message, retryable=False)


@dataclass(frozen=True, slots=True)
class _Folder:
    """What a folder holds, checked against itself. boxes, crops: (n, 4)."""

    pictures: Sequence[Path]
    masks: Sequence[Path]
    boxes: Numbers
    crops: Numbers
    latents: Latents
    version: str


def import_avatar(
    found: Path, folder: Path, engine: str, settings: Json, report: Report
) -> Manifest:
    """Make a bundle in `folder` of what lies in `found`. Raises EngineError with the reason."""
    face_px = _face_px(engine)
    if (found / MANIFEST).is_file():
        return _take_bundle(found, folder, engine, face_px)
    if not face_px or not (found / "latents.pt").is_file():
        raise AvatarFolderError(_what_it_is(found))
    read = _read(found, settings)
    _check_side(read.latents.shape[2], engine, face_px)
    return _write(read, folder, engine, report)


def _check_side(side: int, engine: str, face_px: int) -> None:
    if side * 8 != face_px:
        raise AvatarFolderError(
            f"Its latents have a side of {side}; those of {engine} {face_px // 8}."
        )


def _face_px(engine: str) -> int:
    """The side of the faces that an engine's networks make; 0: it is given no latents of them."""
    module = importlib.import_module(get_engine("face", engine).factory.partition(":")[0])
    is_given_latents = getattr(module, "GIVEN_FILE", "") == LATENTS
    return int(module.FACE_PX) if is_given_latents else 0


def _what_it_is(found: Path) -> str:
    if (found / "face_imgs").is_dir():
        return "This is an avatar of Wav2Lip: it has faces, but no latents that MuseTalk repaints."
    return NO_AVATAR


# --- a bundle of ours


def _take_bundle(found: Path, folder: Path, engine: str, face_px: int) -> Manifest:
    manifest = open_bundle(found, verify_hashes=True).manifest
    is_of_its_kind = not face_px or (manifest.face_px == face_px and LATENTS in manifest.files)
    if manifest.engine != engine or not is_of_its_kind:
        raise BundleError(f"This presenter was built for {manifest.engine}, not {engine}.")
    if face_px:
        _check_side(manifest.latent_px, engine, face_px)
    for name in (*REQUIRED, *GIVEN):
        if name in manifest.files:
            (found / name).replace(folder / name)
    # Previews are made anew: nobody looks at pictures that came with a file.
    write_manifest(folder, manifest)
    return manifest


# --- a folder of MuseTalk or LiveTalking


def _read(found: Path, settings: Json) -> _Folder:
    pictures, masks = _numbered(found / "full_imgs"), _numbered(found / "mask")
    boxes, crops = (_boxes(found / name) for name in ("coords.pkl", "mask_coords.pkl"))
    latents = _latents(found / "latents.pt")
    counts = {"pictures": len(pictures), "masks": len(masks), "boxes": len(boxes),
              "crops": len(crops), "latents": len(latents)}  # fmt: skip
    if len(set(counts.values())) > 1:
        said = ", ".join(f"{count} {name}" for name, count in counts.items())
        raise AvatarFolderError(
            f"Its parts do not belong together: {said}. MuseTalk leaves out latents of pictures "
            "without a face; prepare the avatar again from a film that shows one all the time."
        )
    count = len(pictures)
    if _is_there_and_back(boxes, latents):
        count //= 2  # ours goes back by itself
    if not 1 <= count <= MAX_FRAMES:
        raise AvatarFolderError(f"It has {count} pictures; 1 to {MAX_FRAMES} are taken.")
    return _Folder(
        pictures[:count], masks[:count], boxes[:count], crops[:count], latents[:count],
        _version(found / "avator_info.json", settings),
    )  # fmt: skip


def _numbered(folder: Path) -> list[Path]:
    """Pictures in the order of their numbers, as both projects read them."""
    found = [path for path in folder.glob("*") if path.suffix.lower() in _PICTURES]
    if not found or not all(path.stem.isdecimal() for path in found):
        raise AvatarFolderError(f"{folder.name} holds no pictures that are numbered.")
    return sorted(found, key=lambda path: int(path.stem))


def _boxes(path: Path) -> Numbers:
    if not path.is_file():
        raise AvatarFolderError(f"{path.name} is missing.")
    boxes = np.array(read_boxes(path), np.float64).reshape(-1, 4)
    is_whole = np.isfinite(boxes) & (boxes == np.rint(boxes)) & (np.abs(boxes) < 1 << 20)
    if not is_whole.all():
        raise AvatarFolderError(f"{path.name} holds boxes that are no whole numbers of px.")
    if not boxes[:, 2:].any():
        raise AvatarFolderError("No face was found in any of its pictures.")
    return boxes.astype(np.int32)


def _latents(path: Path) -> Latents:
    if path.stat().st_size > MAX_LATENTS_BYTES:
        raise AvatarFolderError(f"{path.name} is larger than {MAX_LATENTS_BYTES >> 30} GiB.")
    try:
        tensors = checkpoints.read_list(path)
    except WeightsError as error:
        raise AvatarFolderError(
            f"{path.name} is damaged, or holds code beside its numbers."
        ) from error
    if not tensors or len(tensors) > 2 * MAX_FRAMES:
        raise AvatarFolderError(f"{path.name} holds {len(tensors)} latents.")
    shape = tensors[0].shape if all(map(_is_plain, tensors)) else ()
    is_square = len(shape) == 4 and shape[:2] == (1, 8) and 1 <= shape[2] == shape[3] <= 128
    if not is_square or any(t.shape != shape for t in tensors):
        raise AvatarFolderError(f"{path.name} holds something else than latents of faces.")
    # Tensors may repeat a few bytes of a file for ever.
    if len(tensors) * tensors[0].numel() * 2 > MAX_LATENTS_BYTES:
        raise AvatarFolderError(f"{path.name} holds more than {MAX_LATENTS_BYTES >> 30} GiB.")
    # One by one: in the numbers that they come in, all together may be four times as large.
    latents = np.concatenate([t.detach().to(torch.float16).numpy() for t in tensors])
    if not np.isfinite(latents).all():
        raise AvatarFolderError(f"{path.name} holds values that are no numbers.")
    return np.asarray(latents, np.float16)


def _is_plain(tensor: torch.Tensor) -> bool:
    """Numbers in memory: what is sparse or nested, or a shape alone, is none."""
    is_dense = tensor.layout is torch.strided and not tensor.is_nested
    return is_dense and tensor.device.type == "cpu" and tensor.dtype in _NUMBERS


def _is_there_and_back(boxes: Numbers, latents: Latents) -> bool:
    """Whether the second half is the first one backwards, as MuseTalk keeps its lists."""
    if len(boxes) % 2:
        return False
    same_boxes = np.array_equal(boxes, boxes[::-1])
    return same_boxes and np.array_equal(latents, latents[::-1])


def _version(path: Path, settings: Json) -> str:
    """LiveTalking does not say it: then that of the presenter's settings."""
    try:
        said = json.loads(path.read_bytes()[:65_536]).get("version")
    except (OSError, ValueError, AttributeError, RecursionError):
        said = None
    return _VERSIONS.get(str(said), str(settings.get("version", "v1.5")))


def _write(read: _Folder, folder: Path, engine: str, report: Report) -> Manifest:
    count = len(read.pictures)
    width, height = _size_of(read.pictures[0])
    if count * width * height * 3 // 2 > MAX_FILM_BYTES:
        raise AvatarFolderError(f"{count} pictures of {width}x{height} px are more than 3 GiB.")
    boxes = _inside(read.boxes, width, height)
    with (folder / FRAMES).open("wb") as file:
        for number, path in enumerate(read.pictures):
            _write_picture(path, (width, height), file)
            report(12 + 40 * number // count, "frames", "")
    rois, masks = _masks(read, boxes, (width, height), report)
    frames = np.memmap(folder / FRAMES, np.uint8, mode="r").reshape(count, height * 3 // 2, width)
    make_film(frames, boxes, rois, masks)
    arrays = {"boxes": boxes, "rois": rois, "masks": masks, "latents": read.latents}
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", np.asarray(values))
    side = int(read.latents.shape[2])
    manifest = Manifest(
        engine=engine, version=read.version, width_px=width, height_px=height, frames=count,
        frame_rate=FRAME_RATE, face_px=side * 8, latent_px=side, clips=(Clip(IDLE, 0, count),),
        notes=("Taken over from a folder of MuseTalk or LiveTalking.",),
    )  # fmt: skip
    write_manifest(folder, manifest)
    return manifest


def _size_of(path: Path) -> tuple[int, int]:
    """Even px that are kept of a picture, by its header. Raises as below."""
    with _open(path) as image:
        return image.width // 2 * 2, image.height // 2 * 2


def _open(path: Path) -> Image.Image:
    """A picture that is not decoded yet."""
    try:
        with warnings.catch_warnings():
            # Pillow only warns below twice a limit of its own; ours is judged by the header.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path, formats=_FORMATS)
    except Image.DecompressionBombError as error:
        raise _too_large(path) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise AvatarFolderError(f"{path.name} is no whole PNG or JPEG picture.") from error
    if image.width * image.height > MAX_PIXELS or min(image.size) < _MIN_PICTURE_PX:
        image.close()
        raise _too_large(path)
    return image


def _too_large(path: Path) -> AvatarFolderError:
    return AvatarFolderError(f"{path.name} is not between 16x16 and 4096x2304 px large.")


def _decode(path: Path, mode: str) -> Pixels:
    with _open(path) as image:
        try:
            return np.asarray(image.convert(mode), np.uint8)
        except (OSError, SyntaxError, ValueError, MemoryError) as error:
            raise AvatarFolderError(f"{path.name} is no whole PNG or JPEG picture.") from error


def _write_picture(path: Path, size: tuple[int, int], file: BinaryIO) -> None:
    if _size_of(path) != size:
        raise AvatarFolderError(f"{path.name} has another size than the first picture.")
    image = _decode(path, "RGB")[: size[1], : size[0]]
    file.write(np.asarray(cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2YUV_I420)).data)


def _inside(boxes: Numbers, width: int, height: int) -> Numbers:
    """Boxes within the picture; the px that an odd picture lost is taken from them."""
    limits = np.array([width, height] * 2)
    clipped = np.clip(boxes, 0, limits).astype(np.int32)
    is_wrong = np.abs(clipped - boxes).max(axis=1) > 1
    is_wrong |= (clipped[:, 2:] - clipped[:, :2]).min(axis=1) < _MIN_BOX_PX
    if is_wrong.any():
        raise AvatarFolderError(
            f"The box of picture {int(is_wrong.argmax())} reaches out of it, or is none."
        )
    return clipped


def _masks(
    read: _Folder, boxes: Numbers, size: tuple[int, int], report: Report
) -> tuple[Numbers, Pixels]:
    rois, masks = [], []
    for number, (path, box, crop) in enumerate(
        zip(read.masks, boxes.tolist(), read.crops.tolist(), strict=True)
    ):
        mask = _decode(path, "L")
        left, top, right, bottom = crop
        if mask.shape != (bottom - top, right - left):
            raise AvatarFolderError(f"The mask {path.name} does not have the size of its crop.")
        if min(right, box[2]) <= max(left, box[0]) or min(bottom, box[3]) <= max(top, box[1]):
            raise AvatarFolderError(f"The mask {path.name} lies beside its face.")
        roi, part = geometry.roi_of_mask(mask, tuple(box), *size, crop=(left, top, right, bottom))
        rois.append(roi)
        masks.append(part.reshape(-1))
        report(52 + 30 * number // len(boxes), "masks", "")
    return np.array(rois, np.int32), np.concatenate(masks)
