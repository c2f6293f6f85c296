"""What it costs to put a painted mouth into a picture: `python -m benchmarks.neural_paste`.

One core, no networks: a face of 256 px at 300 px in 1280x720, as MuseTalk's is. Beside it, in the
same run, the ways of others: Pillow's paste of a crop (MuseTalk) and OpenCV's blendLinear of a
crop (LiveTalking), each with the conversion to I420 that an encoder needs. The target is for ours
with all that it passes through: the memory that it shares with the model server, there and back,
and the ring to the core.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from PIL import Image

from inference.engines.face.musetalk import geometry
from inference.engines.face.musetalk.bundle import Film, make_film
from inference.engines.face.musetalk.paste import paste_face
from inference.gpu.wire import Shapes, SharedSlots, make_memory
from inference.media.picture import planes
from inference.media.ring import RingReader, RingWriter, shared_memory_folder

WIDTH, HEIGHT, FACE_PX = 1280, 720, 256
BOX: Final = (490, 150, 790, 450)
PROMPT_BYTES: Final = 50 * 384 * 2
TARGET_MS: Final = 1.5
OURS: Final = "ours, with the hops"


def make_scene() -> tuple[Film, Any, Any]:
    """The film of one frame, the same frame in BGR, and the painted face."""
    rng = np.random.default_rng(1)
    small = rng.uniform(0, 255, (9, 16, 3)).astype(np.uint8)
    body = cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    face = cv2.resize(small[:4, :4], (FACE_PX, FACE_PX), interpolation=cv2.INTER_CUBIC)
    crop = geometry.crop_box(BOX)
    region = np.zeros((crop[3] - crop[1], crop[2] - crop[0]), np.uint8)
    cv2.circle(region, (region.shape[1] // 2, region.shape[0] // 2), 150, 255, -1)
    roi, mask = geometry.roi_of_mask(geometry.soft_mask(region, BOX), BOX, WIDTH, HEIGHT)
    frame = np.asarray(cv2.cvtColor(body, cv2.COLOR_BGR2YUV_I420))
    boxes, rois = np.array([BOX], np.int32), np.array([roi], np.int32)
    return make_film(frame[None], boxes, rois, mask.reshape(-1)), body, face


def ways() -> dict[str, Callable[[], None]]:
    """Each from the film's picture and the painted face to an I420 picture for the encoder."""
    film, body, face = make_scene()
    out = np.empty_like(film.frames[0])
    x0, y0, x1, y1 = BOX
    crop = geometry.crop_box(BOX)
    cut = np.s_[crop[1] : crop[3], crop[0] : crop[2]]
    mask = np.zeros((crop[3] - crop[1], crop[2] - crop[0]), np.uint8)
    left, top, right, bottom = film.rois[0].tolist()
    mask[top - crop[1] : bottom - crop[1], left - crop[0] : right - crop[0]] = film.mask(0)
    weights = mask.astype(np.float32) / 255

    def ours() -> None:
        np.copyto(out, film.frames[0])
        paste_face(film, 0, face, planes(out))

    def with_face() -> Any:
        large = body[cut].copy()
        scaled = cv2.resize(face, (x1 - x0, y1 - y0))
        large[y0 - crop[1] : y1 - crop[1], x0 - crop[0] : x1 - crop[0]] = scaled
        return large

    def blend_linear() -> None:
        picture = body.copy()
        picture[cut] = cv2.blendLinear(with_face(), body[cut].copy(), weights, 1 - weights)
        cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)

    def pillow() -> None:
        picture = Image.fromarray(body[:, :, ::-1])
        picture.paste(Image.fromarray(with_face()[:, :, ::-1]), crop[:2], Image.fromarray(mask))
        cv2.cvtColor(np.array(picture)[:, :, ::-1], cv2.COLOR_BGR2YUV_I420)

    return {
        OURS: with_hops(film, face),
        "ours, ROI in I420": ours,
        "blendLinear of a crop": blend_linear,
        "Pillow": pillow,
    }


def with_hops(film: Film, face: Any) -> Callable[[], None]:
    """Ours from the features of a frame to the core's own copy of its picture.

    Both ends of each hop are counted: what worker, server and core do in processes of their own.
    """
    shapes = Shapes(PROMPT_BYTES, FACE_PX)
    memory = make_memory(shapes)
    slots = SharedSlots(memory, shapes)
    os.close(memory)
    with tempfile.NamedTemporaryFile(dir=shared_memory_folder(), suffix=".ring") as free:
        path = Path(free.name)
    reader = RingReader.create(path, width_px=WIDTH, height_px=HEIGHT)
    writer = RingWriter.attach(path)
    reader.unlink()
    prompt, shown = np.zeros(PROMPT_BYTES, np.uint8), np.empty_like(film.frames[0])

    def run() -> None:
        slots.prompt(0)[:] = prompt
        slots.prompt(0).copy()
        slots.face(0)[:] = face
        painted = slots.face(0).copy()
        picture = writer.begin_frame(0)
        np.copyto(picture, film.frames[0])
        paste_face(film, 0, painted, planes(picture))
        writer.end_frame(0, 0)
        if reader.copy_frame(0, shown) is None:
            raise RuntimeError("the picture did not come through the ring")

    return run


def measure(work: Callable[[], None], rounds: int) -> tuple[float, float]:
    """CPU ms of one call: the best of many, and the median."""
    took = []
    for _ in range(rounds):
        began = time.process_time_ns()
        for _ in range(5):
            work()
        took.append((time.process_time_ns() - began) / 5e6)
    return min(took), float(np.median(took))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    cv2.setNumThreads(1)
    figures = {name: measure(work, options.rounds) for name, work in ways().items()}
    print(f"{'one 720p picture, one core':28} best ms  median ms")
    for name, (best, median) in figures.items():
        print(f"{name:28} {best:7.2f}  {median:9.2f}")
    median = figures[OURS][1]
    print(f"target {TARGET_MS} ms, {OURS}: {'met' if median <= TARGET_MS else 'MISSED'}")
    if options.json:
        options.json.write_text(json.dumps(figures))


if __name__ == "__main__":
    main()
