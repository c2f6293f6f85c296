"""Patches over a picture: where, how, when."""

from __future__ import annotations

import numpy as np
import pytest

from inference.media.captions import (
    LABEL_SHARE,
    draw_label,
    draw_title,
    paginate_caption,
    render_caption,
)
from inference.media.overlay import (
    LAYERS,
    OverlayPatch,
    OverlayStack,
    TimedOverlay,
    make_patch,
)
from inference.media.picture import plain_background, planes
from inference.media.ring import Picture

SIZES = [(960, 540), (720, 1280), (640, 360)]
LONG = "大家好，欢迎来到今晚的直播间！今天给大家带来 three brand-new products，先到先得哦。"


def square(alpha: int) -> OverlayPatch:
    image = np.zeros((20, 30, 4), np.uint8)
    image[..., :3] = 255
    image[..., 3] = alpha
    return make_patch(image, 10, 4)


def grey(value: int = 100) -> Picture:
    return np.full((90, 80), value, np.uint8)


def changed(before: Picture, after: Picture) -> tuple[int, int, int, int]:
    """x0 y0 x1 y1 of the luma that differs."""
    rows, columns = np.nonzero(planes(before).y != planes(after).y)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_opaque_patch_covers_exactly_its_rectangle() -> None:
    picture = grey()
    square(255).paste(planes(picture))

    assert changed(grey(), picture) == (10, 4, 40, 24)
    assert (planes(picture).y[4:24, 10:40] == 235).all()  # white, limited range
    assert abs(int(planes(picture).u[4, 8]) - 128) <= 1
    assert planes(picture).u[1, 4] == 100


def test_half_transparent_patch_mixes() -> None:
    picture = grey()
    square(128).paste(planes(picture))

    assert abs(int(planes(picture).y[10, 20]) - 168) <= 2


def test_clear_patch_changes_nothing() -> None:
    picture = grey()
    square(0).paste(planes(picture))

    np.testing.assert_array_equal(picture, grey())


@pytest.mark.parametrize(("x_px", "y_px"), [(1, 0), (0, 1), (-2, 0)])
def test_odd_positions_are_refused(x_px: int, y_px: int) -> None:
    with pytest.raises(ValueError, match="even"):
        make_patch(np.zeros((2, 2, 4), np.uint8), x_px, y_px)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_label_is_large_enough(width: int, height: int) -> None:
    label = draw_label("AI 生成 · AI-generated", width, height)

    assert label is not None
    assert label.width < width
    bright = np.nonzero((np.asarray(label)[..., :3] > 180).all(axis=2).any(axis=1))[0]
    assert bright.max() - bright.min() + 1 >= LABEL_SHARE * min(width, height)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_caption_has_two_lines_at_most_and_is_inside(width: int, height: int) -> None:
    one, two = render_caption("你好", width, height), render_caption(LONG * 3, width, height)

    assert one is not None
    assert two is not None
    assert two.height_px < 2 * one.height_px
    assert two.x_px + two.width_px <= width
    assert two.y_px + two.height_px < height


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_pages_hold_the_whole_text_and_begin_with_no_full_stop(width: int, height: int) -> None:
    pages = paginate_caption(LONG * 4, width, height)

    assert len(pages) > 1
    assert "".join(pages).replace(" ", "") == (LONG * 4).replace(" ", "")
    assert not any(page[0] in "，。！" for page in pages)


def test_latin_words_stay_whole_and_keep_their_spaces() -> None:
    text = "The quick brown fox jumps over the lazy dog and then goes home to sleep. " * 3
    pages = paginate_caption(text, 640, 360)

    assert " ".join(pages) == text.strip()


def test_word_wider_than_the_picture_is_broken() -> None:
    assert "".join(paginate_caption("x" * 500, 640, 360)) == "x" * 500


def test_blank_text_draws_nothing() -> None:
    assert render_caption(" \n", 640, 360) is None
    assert draw_title("", 640, 360) is None
    assert draw_label(" ", 640, 360) is None
    assert paginate_caption("", 640, 360) == ()


def test_a_caption_shows_no_boxes_for_emoji() -> None:
    plain, cheerful = render_caption("大家好", 640, 360), render_caption("大家好😀", 640, 360)

    assert plain is not None
    assert cheerful is not None
    assert cheerful.width_px == plain.width_px
    assert render_caption("😀👍", 640, 360) is None


def test_label_wider_than_the_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        draw_label("AI" * 100, 640, 360)


def test_two_lines_of_a_caption_are_about_as_long() -> None:
    full = render_caption("国" * 29, 960, 540)
    two = render_caption("国" * 31, 960, 540)

    assert full is not None
    assert two is not None
    assert two.height_px > full.height_px
    assert two.width_px < 0.7 * full.width_px


def test_chinese_is_drawn_with_glyphs_of_its_own() -> None:
    first, second = render_caption("国", 640, 360), render_caption("语", 640, 360)

    assert first is not None
    assert second is not None
    drawn = [np.asarray(patch.parts[0].colour) for patch in (first, second)]
    assert drawn[0].shape != drawn[1].shape or (drawn[0] != drawn[1]).any()


def test_stack_shows_each_patch_in_its_time_and_generation() -> None:
    stack = OverlayStack()
    label, first, second = square(255), square(100), square(200)
    stack.put("label", TimedOverlay(label))
    stack.put("caption", TimedOverlay(first, 100, 200, generation=0))
    stack.put("caption", TimedOverlay(second, 150, None, generation=1))

    assert stack.due(99, 0) == [label]
    assert stack.due(100, 0) == [first, label]
    assert stack.due(200, 0) == [label]
    assert stack.due(160, 1) == [second, label]
    stack.clear("caption")
    assert stack.due(160, 1) == [label]


def test_background_is_a_picture_of_the_asked_size() -> None:
    picture = plain_background(640, 360)

    assert picture.shape == (540, 640)
    assert 16 <= picture[:360].min() < picture[:360].max() < 120


def test_faded_patch_is_there_by_its_share() -> None:
    picture = grey()
    square(255).faded(0.25).paste(planes(picture))

    assert abs(int(planes(picture).y[10, 20]) - (100 + (235 - 100) * 0.25)) <= 2
    assert changed(grey(), picture) == (10, 4, 40, 24)


def test_moved_patch_keeps_its_column_and_stays_in_the_picture() -> None:
    picture = grey()
    square(255).moved(-9).paste(planes(picture))

    assert changed(grey(), picture) == (10, 0, 40, 20)


def test_layer_that_was_ended_shows_nothing_from_there_on() -> None:
    stack = OverlayStack()
    stack.put("card", TimedOverlay(square(255)))
    stack.put("card", TimedOverlay(square(255), 5000))

    stack.end("card", 3000)

    assert len(stack.due(2999, 0)) == 1
    assert stack.due(3000, 0) == []
    assert stack.due(6000, 0) == []


def test_nothing_lies_over_the_label() -> None:
    stack = OverlayStack()
    label = square(1)
    stack.put("label", TimedOverlay(label))
    for layer in LAYERS:
        if layer != "label":
            stack.put(layer, TimedOverlay(square(2)))

    assert stack.due(0, 0)[-1] is label
