"""When a face worker that draws nothing is replaced."""

from __future__ import annotations

from inference.runner.face_watch import FIRST_PICTURE_LOOKS, SILENT_LOOKS, FaceWatch


def looks_until_replaced(watch: FaceWatch, drawn: int) -> int:
    looks = 1
    while not watch.hangs(drawn, is_ready=True):
        looks += 1
    return looks


def test_worker_that_stops_drawing_is_replaced_after_some_looks() -> None:
    watch = FaceWatch()
    assert not any(watch.hangs(drawn, is_ready=True) for drawn in range(1, 100, 25))

    assert looks_until_replaced(watch, 76) == SILENT_LOOKS + 1


def test_new_worker_has_longer_for_its_first_picture() -> None:
    watch = FaceWatch()
    watch.hangs(100, is_ready=True)
    assert not any(watch.hangs(100, is_ready=False) for _ in range(100))

    assert looks_until_replaced(watch, 100) == FIRST_PICTURE_LOOKS + 1


def test_worker_is_replaced_once_and_the_next_one_begins_anew() -> None:
    watch = FaceWatch()
    watch.hangs(1, is_ready=True)
    looks_until_replaced(watch, 1)

    assert looks_until_replaced(watch, 1) == FIRST_PICTURE_LOOKS + 1
