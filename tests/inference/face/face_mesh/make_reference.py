"""Writes `reference.npz`: what MediaPipe itself finds on the drawn photo.

Needs an environment of its own (Python 3.11, `mediapipe==0.10.21`, `opencv-python-headless` 4):

    python tests/inference/face/face_mesh/make_reference.py
"""

from __future__ import annotations

from pathlib import Path

import cv2
import mediapipe
import numpy as np

HERE = Path(__file__).parent
PHOTO = HERE.parent / "portrait" / "lin.jpg"


def main() -> None:
    """points: (468, 2) px of the photo."""
    picture = cv2.cvtColor(cv2.imread(str(PHOTO)), cv2.COLOR_BGR2RGB)
    mesh = mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, max_num_faces=2)
    [face] = mesh.process(picture).multi_face_landmarks
    height, width = picture.shape[:2]
    points = np.array([(point.x * width, point.y * height) for point in face.landmark], np.float32)
    np.savez_compressed(HERE / "reference.npz", points=points)


if __name__ == "__main__":
    main()
