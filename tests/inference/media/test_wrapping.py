from __future__ import annotations

import numpy as np
import pytest

from inference.media.fonts import load_font
from inference.media.panels import rounded_mask
from inference.media.wrapping import balance, wrap

FONT = load_font(37)
ENGLISH = "Please put the big blue paper box beside my umbrella, and remember to bring both maps."
CHINESE = "请把背包放在门旁边，别忘了带宝贵的物品，然后我们慢慢地比较八个不同的品牌。"


class CountingFont:
    """The font, and how often it was asked for a length."""

    def __init__(self) -> None:
        self.asked = 0

    def getlength(self, text: str) -> float:
        self.asked += 1
        return float(FONT.getlength(text))


@pytest.mark.parametrize("text", [ENGLISH, CHINESE])
@pytest.mark.parametrize("limit_px", [200, 500, 900])
def test_each_line_takes_as_many_words_as_fit(text: str, limit_px: int) -> None:
    lines = wrap(text, FONT, limit_px)

    assert "".join(lines) == text
    assert max(FONT.getlength(line.rstrip()) for line in lines) <= limit_px
    for line, after in zip(lines, lines[1:], strict=False):
        # No break stands between a sign and the full stop or comma behind it.
        more = after.split(" ")[0] if text == ENGLISH else after[:2]
        assert FONT.getlength(line + more) > limit_px


def test_word_wider_than_a_line_is_cut_and_the_next_follows_on() -> None:
    limit_px = round(FONT.getlength("Donaudampf is"))

    lines = wrap("DonaudampfDonau is long", FONT, limit_px)

    assert "".join(lines) == "DonaudampfDonau is long"
    assert max(FONT.getlength(line.rstrip()) for line in lines) <= limit_px
    assert any(" is" in line for line in lines)


def test_text_that_fits_is_measured_once() -> None:
    font = CountingFont()

    lines = balance(wrap(ENGLISH, font, 5000), font)  # type: ignore[arg-type]

    assert lines == [ENGLISH]
    assert font.asked == 1


def test_panel_has_round_corners_and_is_full_between_them() -> None:
    mask = np.asarray(rounded_mask(101, 60, 12))

    assert mask.shape == (60, 101)
    assert mask[0, 0] == mask[0, -1] == mask[-1, 0] == mask[-1, -1] == 0
    assert np.array_equal(mask, mask[::-1])
    assert np.array_equal(mask, mask[:, ::-1])
    assert mask[13:-13].min() == mask[:, 13:-13].min() == 255
    # The corner of a panel is the same in a larger one.
    assert np.array_equal(np.asarray(rounded_mask(26, 26, 12))[:13, :13], mask[:13, :13])
