"""Make a bundle of footage: points → boxes → masks → latents, each step checked."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

import cv2
import numpy as np

from inference.catalog import get_engine
from inference.engines.base import EngineError, Json
from inference.engines.face.musetalk import geometry
from inference.engines.face.musetalk.bundle import (
    IDLE,
    LATENTS,
    Clip,
    Manifest,
    Numbers,
    Pixels,
    make_film,
    write_manifest,
)
from inference.engines.face.musetalk.engine import own_settings, weights_folder
from inference.engines.face.musetalk.footage_checks import FootageError, check_footage
from inference.engines.face.musetalk.geometry import Points
from inference.engines.face.musetalk.landmarks import points_of_frames, read_landmarks
from inference.engines.face.musetalk.masks import MODES
from inference.engines.face.musetalk.settings import MuseTalkSettings

# (percent, stage, words for the log): called often, must be quick; raises to cancel.
Report = Callable[[int, str, str], None]

# Where the face is in the crop box of a picture's box: 255 there.
Region = Callable[[int, geometry.Box], Pixels]

_MAX_SHIFT_PX: Final = 60
_BATCH: Final = 4


class Encoder(Protocol):
    """Turns faces into what the networks repaint. given_file: what of a bundle that becomes."""

    given_file: str

    def encode(self, faces: Pixels) -> Any: ...


@dataclass(frozen=True, slots=True)
class Footage:
    """Decoded pictures. frames: (n, height * 3 // 2, width) I420. landmarks: as they are read."""

    frames: Pixels
    frame_rate: int
    landmarks: Path | Json


def build_bundle(
    folder: Path, footage: Footage, engine: str, settings: Json, options: Json, report: Report
) -> Manifest:
    """Write a bundle into `folder`, where frames.i420 lies already. Raises EngineError.

    options: bbox_shift (v1 only), clips [{name, from_seconds, to_seconds}] of one take, mask.
    """
    chosen = own_settings(settings)
    count, height, width = footage.frames.shape[0], *_size(footage.frames)
    report(18, "landmarks", "")
    boxes, points, notes = _judged(footage, chosen, options)
    report(22, "checks", "")
    manifest = Manifest(
        engine=engine, version=chosen.version, width_px=width, height_px=height, frames=count,
        frame_rate=footage.frame_rate, face_px=0, latent_px=0,
        clips=_clips(options, count, footage.frame_rate), options=options, notes=tuple(notes),
    )  # fmt: skip
    regions = _regions(footage, points, settings, options)
    _write_masks(folder, footage, boxes, regions, report)
    shape = _write_latents(folder, footage, boxes, engine, settings, report)
    done = replace(manifest, face_px=shape[0], latent_px=shape[1])
    write_manifest(folder, done)
    return done


def check_upload(
    footage: Footage | None, landmarks: Path | None, settings: Json, options: Json
) -> None:
    """What `build_bundle` would refuse and is known at once. footage: of a photo; None: a film."""
    chosen = own_settings(settings)
    _shift(options)
    _mask_mode(options)
    if footage is None:
        if landmarks is not None:
            read_landmarks(landmarks)
        return
    _judged(footage, chosen, options)


def _judged(
    footage: Footage, chosen: MuseTalkSettings, options: Json
) -> tuple[Numbers, Points, list[str]]:
    """Boxes and points of the pictures, and notes on what weakens them. Raises EngineError."""
    frames, rate = footage.frames, footage.frame_rate
    height, width = _size(frames)
    looks = read_landmarks(footage.landmarks)
    tracked = points_of_frames(looks, len(frames), rate, (width, height))
    boxes = _boxes(tracked.points, (width, height), chosen, _shift(options))
    idle, *_ = _clips(options, len(frames), rate)
    notes = check_footage(frames, boxes, tracked.points, rate, idle.count)
    if looks.missing or tracked.missing:
        notes.append(f"{looks.missing + tracked.missing} pictures without a face of their own.")
    return boxes, tracked.points, notes


def _boxes(points: Points, size: tuple[int, int], chosen: MuseTalkSettings, shift: int) -> Numbers:
    width, height = size
    boxes: list[geometry.Box] = []
    for number, each in enumerate(points):
        box = geometry.face_box(each, height_px=height, version=chosen.version, shift_px=shift)
        box = box or (boxes[-1] if boxes else None)
        if box is None:
            raise FootageError("no_face", f"There is no face in picture {number}.")
        boxes.append(box)
    made = np.array(boxes, np.int32)
    if (made[:, :2] < 0).any() or (made[:, 2:] > (width, height)).any():
        raise FootageError(
            "face_cut_off", "The face leaves the picture. Keep all of it in view, all the time."
        )
    return made


def _regions(footage: Footage, points: Points, settings: Json, options: Json) -> Region:
    """What tells where the face is: the polygon of its points, or the network of MuseTalk."""
    mode = _mask_mode(options)
    if mode == MODES[0]:
        return lambda number, box: geometry.jaw_region(points[number], box)
    # By name: its weights are not for everybody, and most builds do without PyTorch until later.
    parsing = importlib.import_module("inference.engines.face.musetalk.parsing")
    parser = parsing.load_parser(weights_folder(settings))
    version = own_settings(settings).version

    def region(number: int, box: geometry.Box) -> Pixels:
        crop = parsing.crop_of_picture(footage.frames[number], geometry.crop_box(box))
        found: Pixels = parser.region(crop, mode, version)
        return found

    return region


def _write_masks(
    folder: Path, footage: Footage, boxes: Numbers, region: Region, report: Report
) -> None:
    height, width = _size(footage.frames)
    rois, masks = [], []
    for number, values in enumerate(boxes.tolist()):
        box: geometry.Box = tuple(values)
        soft = geometry.soft_mask(region(number, box), box)
        roi, mask = geometry.roi_of_mask(soft, box, width, height)
        rois.append(roi)
        masks.append(mask.reshape(-1))
        report(22 + 13 * number // len(boxes), "masks", "")
    np.save(folder / "boxes.npy", boxes)
    np.save(folder / "rois.npy", np.array(rois, np.int32))
    np.save(folder / "masks.npy", np.concatenate(masks))
    make_film(footage.frames, boxes, np.array(rois, np.int32), np.concatenate(masks))


def _write_latents(
    folder: Path, footage: Footage, boxes: Numbers, engine: str, settings: Json, report: Report
) -> tuple[int, int]:
    """Returns the px of a face and of its latents."""
    report(35, "networks", "")
    encoder, face_px = load_encoder(engine, settings)
    made = []
    for first in range(0, len(boxes), _BATCH):
        batch = range(first, min(first + _BATCH, len(boxes)))
        faces = np.stack([cut_face(footage.frames[i], boxes[i], face_px) for i in batch])
        encoded = encoder.encode(faces)
        # Latents are tensors; faces stay what they are.
        is_tensor = not isinstance(encoded, np.ndarray)
        made.append(encoded.float().cpu().numpy().astype(np.float16) if is_tensor else encoded)
        report(36 + 48 * first // len(boxes), "latents", "")
    given = np.concatenate(made)
    if not np.isfinite(given).all():
        raise EngineError("bad_latents", "The networks made no numbers of this film.")
    np.save(folder / encoder.given_file, given)
    return face_px, int(given.shape[2]) if encoder.given_file == LATENTS else 0


def load_encoder(engine: str, settings: Json) -> tuple[Encoder, int]:
    """`load_encoder` of an engine's own module, and the px of its faces. Raises EngineError."""
    module = importlib.import_module(get_engine("face", engine).factory.partition(":")[0])
    loaded: tuple[Encoder, int] = module.load_encoder(settings)
    return loaded


def cut_face(frame: Pixels, box: Numbers, face_px: int) -> Pixels:
    """A face as the networks take it: (face_px, face_px, 3) BGR, scaled by Lanczos as MuseTalk."""
    x0, y0, x1, y1 = (int(value) for value in box)
    image = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_YUV2BGR_I420)
    face = cv2.resize(image[y0:y1, x0:x1], (face_px, face_px), interpolation=cv2.INTER_LANCZOS4)
    return np.asarray(face, np.uint8)


def _size(frames: Pixels) -> tuple[int, int]:
    return frames.shape[1] * 2 // 3, frames.shape[2]


def _shift(options: Json) -> int:
    shift = options.get("bbox_shift", 0)
    if type(shift) is not int or abs(shift) > _MAX_SHIFT_PX:
        raise _refusal(f"bbox_shift is a whole number from -{_MAX_SHIFT_PX} to {_MAX_SHIFT_PX}.")
    return shift


def _mask_mode(options: Json) -> str:
    mode = options.get("mask", MODES[0])
    if mode not in MODES:
        raise _refusal(f"mask is {mode!r}; allowed are {', '.join(MODES)}.")
    return str(mode)


def _clips(options: Json, count: int, frame_rate: int) -> tuple[Clip, ...]:
    """`idle` is what lies before the first clip; a clip fits behind the last idle frame."""
    actions = []
    for item in options.get("clips", ()):
        try:
            name = str(item["name"])
            first = round(float(item["from_seconds"]) * frame_rate)
            last = round(float(item["to_seconds"]) * frame_rate)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise _refusal("A clip needs a name, from_seconds and to_seconds.") from error
        if name == IDLE or not 0 < first < last <= count:
            raise _refusal(f"The clip {name!r} does not lie behind an idle part, inside the film.")
        actions.append((first, last, name))
    actions.sort()
    if any(after[0] < before[1] for before, after in zip(actions, actions[1:], strict=False)):
        raise _refusal("Clips lie over each other.")
    idle = actions[0][0] if actions else count
    clips = [
        Clip(name, first, last - first, enter=idle - 1 if first == idle else None)
        for first, last, name in actions
    ]
    return (Clip(IDLE, 0, idle), *clips)


def _refusal(message: str) -> EngineError:
    return EngineError("bad_option", message, retryable=False)
