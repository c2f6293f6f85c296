"""Boxes, masks and pasting against MuseTalk's own code, and I420 against BGR."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from inference.engines.face.musetalk import geometry, prepared
from inference.engines.face.musetalk.bundle import Bundle, make_film
from inference.engines.face.musetalk.paste import paste_face
from inference.engines.face.musetalk.prepared import crop_for, open_prepared
from inference.media.picture import planes
from tests.inference.face import references
from tests.inference.face.musetalk import films
from tests.inference.face.musetalk.make_livetalking_reference import square_around
from tests.inference.face.musetalk.make_paste_reference import (
    BOX,
    LOW_BOX,
    PICTURE_PX,
    SHIFTS,
    picture,
    points,
    region,
)

BOXES = {"whole": BOX, "low": LOW_BOX}


@pytest.fixture(scope="module")
def reference() -> Any:
    return references.reference("tests.inference.face.musetalk.make_paste_reference")


def mask_of(box: geometry.Box, blur: float = geometry.BLUR_LIVE) -> Any:
    crop = geometry.crop_box(box)
    return geometry.soft_mask(region(crop[2] - crop[0]), box, blur)


def psnr(one: Any, other: Any) -> float:
    error = np.mean((one.astype(float) - other.astype(float)) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


@pytest.mark.parametrize("shift", SHIFTS)
def test_boxes_of_v1_are_those_of_musetalk(reference: Any, shift: int) -> None:
    for expected, face in zip(reference[f"boxes_{shift}"], points(), strict=True):
        made = geometry.face_box(face, height_px=10_000, version="v1", shift_px=shift)

        # Where MuseTalk falls back to another detector, ours has no box: the last good one is used.
        assert (made or (0, 0, 0, 0)) == tuple(expected)


def test_box_of_v15_has_a_margin_and_no_shift(reference: Any) -> None:
    for expected, face in zip(reference["boxes_0"], points(), strict=True):
        x0, y0, x1, y1 = expected.tolist()
        made = geometry.face_box(face, height_px=y1 + 4, version="v1.5", shift_px=9)

        assert made == ((x0, y0, x1, y1 + 4) if y1 else None)


@pytest.mark.parametrize("label", BOXES)
def test_masks_are_those_of_musetalk(reference: Any, label: str) -> None:
    box = BOXES[label]

    np.testing.assert_array_equal(geometry.crop_box(box), reference[f"crop_{label}"])
    np.testing.assert_array_equal(mask_of(box), reference[f"mask_{label}"])


def test_mask_has_no_more_than_the_lower_half_of_the_face() -> None:
    box = BOX
    (x0, y0, x1, y1), mask = geometry.roi_of_mask(mask_of(box), box, *PICTURE_PX)

    assert (x0 % 2, y0 % 2, x1 % 2, y1 % 2) == (0, 0, 0, 0)
    assert mask.shape == (y1 - y0, x1 - x0)
    assert x0 >= box[0] - 1
    assert x1 <= box[2] + 1
    middle = (box[1] + box[3]) / 2
    assert y0 > middle - 0.1 * (box[3] - box[1])
    assert mask.max() == 255


def pasted(box: geometry.Box, mask: Any, crop: geometry.Box | None = None) -> Any:
    """Every third pixel of the picture with the face in `box`. mask: in `crop`, or its crop box."""
    body = picture(*PICTURE_PX, 1)
    face = picture(box[2] - box[0], box[3] - box[1], 2)
    (x0, y0, x1, y1), mask = geometry.roi_of_mask(mask, box, *PICTURE_PX, crop=crop)
    shifted = np.zeros_like(body)
    bottom = min(box[3], body.shape[0])
    shifted[box[1] : bottom, box[0] : box[2]] = face[: bottom - box[1]]
    weights = mask.astype(np.float32) / 255
    body[y0:y1, x0:x1] = cv2.blendLinear(
        shifted[y0:y1, x0:x1], body[y0:y1, x0:x1].copy(), weights, 1 - weights
    )
    return body[::3, ::3].astype(int)


@pytest.mark.parametrize("label", BOXES)
@pytest.mark.parametrize(("script", "blur"), [("pasted", geometry.BLUR_LIVE), ("offline", 0.05)])
def test_pasted_faces_are_those_of_musetalk(
    reference: Any, label: str, script: str, blur: float
) -> None:
    """It pastes with Pillow, which clips a crop box that reaches out of the picture; so do we."""
    box = BOXES[label]

    ours = pasted(box, mask_of(box, blur))

    assert np.abs(ours - reference[f"{script}_{label}"].astype(int)).max() <= 1


def test_pasted_faces_are_those_of_livetalking() -> None:
    """It pastes with OpenCV's blendLinear, whole crops."""
    theirs = references.reference("tests.inference.face.musetalk.make_livetalking_reference")

    ours = pasted(BOX, theirs["mask"], square_around(BOX))

    assert np.abs(ours - theirs["pasted"].astype(int)).max() <= 1


@pytest.mark.parametrize("share", [1.0, 0.4])
def test_paste_in_i420_is_the_paste_in_bgr(share: float) -> None:
    box = BOX
    width, height = PICTURE_PX
    body, face = picture(width, height, 1), picture(64, 64, 2)
    roi, mask = geometry.roi_of_mask(mask_of(box), box, width, height)
    in_i420 = np.asarray(cv2.cvtColor(body, cv2.COLOR_BGR2YUV_I420))
    film = make_film(
        in_i420[None], np.array([box], np.int32), np.array([roi], np.int32), mask.reshape(-1)
    )
    scaled = cv2.resize(face, (box[2] - box[0], box[3] - box[1]))
    whole = Image.new("L", PICTURE_PX)
    whole.paste(Image.fromarray((mask * share).astype(np.uint8)), roi[:2])
    pasted = Image.fromarray(body)
    with_face = pasted.copy()
    with_face.paste(Image.fromarray(scaled), box[:2])
    pasted.paste(with_face, (0, 0), whole)
    expected = cv2.cvtColor(np.asarray(pasted), cv2.COLOR_BGR2YUV_I420)

    paste_face(film, 0, face, planes(in_i420), share)

    for ours, theirs in zip(_parts(in_i420), _parts(expected), strict=True):
        assert psnr(ours, theirs) > 45
    outside = np.ones((height, width), bool)
    outside[roi[1] : roi[3], roi[0] : roi[2]] = False
    np.testing.assert_array_equal(in_i420[:height][outside], expected[:height][outside])


def test_share_of_nothing_changes_nothing() -> None:
    film = films.small_film(1)
    out = film.frames[0].copy()

    paste_face(film, 0, np.zeros((16, 16, 3), np.uint8), planes(out), 0.0)

    np.testing.assert_array_equal(out, film.frames[0])


@pytest.mark.parametrize("size", [(80, 60), (320, 240), (160, 90), (90, 160), (120, 120)])
def test_film_of_another_size_keeps_the_face_in_place(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    bundle = Bundle(tmp_path, films.manifest(), films.small_film(), {}, "digest")

    film = open_prepared(bundle, *size, tmp_path)
    again = open_prepared(bundle, *size, tmp_path)

    crop = crop_for(bundle.film, *size)
    scale = size[0] / crop.width
    expected = (np.array(films.BOX) - [crop.x0, crop.y0] * 2) * scale
    assert (film.width_px, film.height_px) == size
    np.testing.assert_allclose(film.boxes[0], expected, atol=1)
    assert film.mask(0).max() == 255
    # The mask covers the same part of the face.
    before, after = bundle.film.mask(3).sum() / 255 * scale**2, film.mask(3).sum() / 255
    assert after == pytest.approx(before, rel=0.05)
    np.testing.assert_array_equal(film.masks, again.masks)
    # Too tall for a face as wide as this: the whole film, with bars.
    assert (film.frames[0][2, 45] == 16) == (size == (90, 160))
    assert [path.name for path in tmp_path.iterdir()] == [f"film-digest-{size[0]}x{size[1]}-1"]


def test_damaged_film_in_the_cache_is_made_again(tmp_path: Path) -> None:
    bundle = Bundle(tmp_path, films.manifest(), films.small_film(), {}, "digest")
    first = np.array(open_prepared(bundle, 80, 60, tmp_path).frames)
    (path,) = tmp_path.glob("*/frames.i420")
    path.write_bytes(b"short")

    np.testing.assert_array_equal(open_prepared(bundle, 80, 60, tmp_path).frames, first)


def test_film_in_the_cache_whose_parts_do_not_fit_is_made_again(tmp_path: Path) -> None:
    bundle = Bundle(tmp_path, films.manifest(), films.small_film(), {}, "digest")
    masks = np.array(open_prepared(bundle, 80, 60, tmp_path).masks)
    (path,) = tmp_path.glob("*/masks.npy")
    np.save(path, np.zeros(7, np.uint8))

    np.testing.assert_array_equal(open_prepared(bundle, 80, 60, tmp_path).masks, masks)


def test_film_that_another_process_has_made_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It opens its files one by one: they must not be taken away under it."""
    bundle = Bundle(tmp_path, films.manifest(), films.small_film(), {}, "digest")
    make, made_first = prepared._make, []

    def make_second(*arguments: Any) -> None:
        make(*arguments)
        made_first.extend(path.stat().st_ino for path in tmp_path.glob("film-*/*"))
        make(*arguments)

    monkeypatch.setattr(prepared, "_make", make_second)

    open_prepared(bundle, 80, 60, tmp_path)

    assert [path.stat().st_ino for path in tmp_path.glob("film-*/*")] == made_first
    assert [path.name for path in tmp_path.iterdir()] == ["film-digest-80x60-1"]


def _parts(image: Any) -> tuple[Any, Any, Any]:
    parts = planes(np.ascontiguousarray(image))
    return parts.y, parts.u, parts.v
