"""The two networks of MediaPipe's face mesh, read where npm has put them.

They lie in one file of the package `@mediapipe/face_mesh` 0.4.1657299874 (Google, Apache-2.0): it
is installed with the frontend and never reaches a browser.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from inference.engines.base import EngineError

# Of a model in memory OpenCV 5.0.0 takes the newer of its engines whatever it is told, and that one
# drops the second output. It reads this once, when it reads the first model.
os.environ["OPENCV_FORCE_DNN_ENGINE"] = str(cv2.dnn.ENGINE_CLASSIC)

PACKED: Final = (
    Path(__file__).parents[4]
    / "frontend/node_modules/@mediapipe/face_mesh/face_mesh_solution_packed_assets.data"
)


@dataclass(frozen=True, slots=True)
class Packed:
    """A TensorFlow Lite model in the file. outputs: names of its tensors, as they are asked for."""

    first: int
    end: int
    sha256: str
    outputs: tuple[str, str]


# Of 128x128 RGB, -1..1: scores (1, 896, 1) as logits, shapes (1, 896, 16) in px of the input.
DETECTOR: Final = Packed(
    3_757_224,
    3_986_256,
    "3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633",
    ("classificators", "regressors"),
)
# Of 192x192 RGB, 0..1: presence (1, 1, 1, 1) as a logit, points (1, 1404, 1, 1): x y z in px of it.
MESH: Final = Packed(
    2_495_952,
    3_737_848,
    "c603fa6149219a3e9487dc9abd7a0c24474c77263273d24868378cdf40aa26d1",
    ("conv2d_31", "conv2d_21"),
)


def check_installed() -> None:
    """Raises EngineError where this machine finds no faces."""
    if not PACKED.is_file():
        raise _not_here()


class Network:
    """One of the models, ready to run on a processor."""

    def __init__(self, packed: Packed) -> None:
        """Raises EngineError: the file is missing or another one."""
        self._outputs = packed.outputs
        self._network = cv2.dnn.readNetFromTFLite(_content(packed))

    def run(self, blob: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], ...]:
        """blob: (1, 3, side, side) float32. Returns the outputs in their order."""
        self._network.setInput(blob)
        return tuple(self._network.forward(self._outputs))


def _content(packed: Packed) -> np.ndarray[Any, np.dtype[np.uint8]]:
    try:
        with PACKED.open("rb") as file:
            file.seek(packed.first)
            content = file.read(packed.end - packed.first)
    except OSError as error:
        raise _not_here() from error
    if hashlib.sha256(content).hexdigest() != packed.sha256:
        raise _not_here()
    return np.frombuffer(content, np.uint8)


def _not_here() -> EngineError:
    return EngineError(
        "no_landmarks",
        "The upload came without face points, and this machine has nothing that finds them. "
        "Mark the face on the photo, or post a file `landmarks` with the film.",
        retryable=False,
    )
