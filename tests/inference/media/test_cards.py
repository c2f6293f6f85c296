"""Product cards and where they stand: readable, inside the picture, over nothing else."""

from __future__ import annotations

import time
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from inference.media.badges import draw_clock, draw_lower_third, fit_logo
from inference.media.captions import draw_label, draw_title, render_caption
from inference.media.cards import render_card
from inference.media.layout import Layout
from inference.media.overlay import OverlayPatch
from inference.media.panels import place
from inference.media.picture import plain_background, planes
from inference.media.places import Box
from inference.overlay_spec import CardSpec, Corner

SIZES = [(640, 360), (960, 540), (1280, 720), (1920, 1080), (720, 1280)]
URL = "https://shop.example.org/p/8321?from=live"
LONG = "大家好，欢迎来到今晚的直播间！今天给大家带来三款新品，先到先得哦。" * 2
LABEL = "AI 生成 · AI-generated"


@pytest.fixture
def photo(tmp_path: Path) -> str:
    path = tmp_path / "tea.png"
    Image.new("RGB", (400, 300), (40, 90, 160)).save(path)
    return str(path)


def card_of(photo: str = "", **changes: str) -> CardSpec:
    texts = {"title": "高山冻顶乌龙茶 礼盒装", "text": "第二件半价", "price": "¥99.90", "url": URL}
    return CardSpec(**{**texts, "picture": photo, **changes})


def layout_of(
    size: tuple[int, int],
    label: Corner = "top_left",
    logo: Corner = "top_right",
    clock: Corner = "top_right",
) -> tuple[Layout, dict[str, Image.Image]]:
    drawn = draw_label(LABEL, *size)
    third = draw_lower_third("林小雅", "茗香旗舰店 · 主播", *size)
    title = draw_title("秋季新品专场", *size)
    assert drawn is not None
    assert third is not None
    assert title is not None
    images = {
        "label": drawn,
        "logo": fit_logo(Image.new("RGBA", (600, 240), "red"), *size),
        "clock": draw_clock("20:05:09", *size),
    }
    corners = {
        name: (corner, images[name].size)
        for name, corner in (("label", label), ("logo", logo), ("clock", clock))
    }
    layout = Layout(*size, corners, lower_third=third.size)
    return layout, {**images, "lower_third": third, "title": title}


def patches_of(
    layout: Layout, images: dict[str, Image.Image], card: CardSpec
) -> dict[str, OverlayPatch]:
    size = layout.width_px, layout.height_px
    places = {name: layout.corner_place(name) for name in ("label", "logo", "clock")}
    places["lower_third"] = layout.lower_third_place()
    places["title"] = layout.title_place(images["title"].size)
    patches = {name: place(images[name], *at) for name, at in places.items()}
    caption = render_caption(LONG, *size, bottom_px=layout.caption_bottom_px)
    assert caption is not None
    patches["caption"] = caption
    patches["card"] = render_card(card, layout.card_box(), min(size))
    return patches


@pytest.mark.parametrize(
    ("size", "corner"),
    [
        *((size, "top_left") for size in SIZES),
        ((960, 540), "top_right"),
        ((640, 360), "bottom_left"),
        ((720, 1280), "bottom_right"),
    ],
)
def test_nothing_covers_anything_else(size: tuple[int, int], corner: Corner, photo: str) -> None:
    """A card's shadow may reach under its neighbours, the card itself may not."""
    layout, images = layout_of(size, label=corner)
    patches = patches_of(layout, images, card_of(photo))

    def box(name: str) -> Box:
        patch, inset = patches[name], 0
        if name == "card":
            inset = max(4, round(min(size) * 0.014))
        return Box(
            patch.x_px + inset,
            patch.y_px + inset,
            patch.x_px + patch.width_px - inset,
            patch.y_px + patch.height_px - inset,
        )

    boxes = {name: box(name) for name in patches}
    for name, one in boxes.items():
        assert min(one.left, one.top) >= 0, name
        assert one.right <= size[0], name
        assert one.bottom <= size[1], name
    overlaps = [
        (a, b)
        for (a, one), (b, two) in combinations(boxes.items(), 2)
        if one.left < two.right
        and two.left < one.right
        and one.top < two.bottom
        and two.top < one.bottom
    ]
    assert overlaps == []


@pytest.mark.parametrize("size", SIZES)
def test_qr_code_can_be_read_from_the_picture(size: tuple[int, int], photo: str) -> None:
    layout, _ = layout_of(size)
    picture = plain_background(*size)
    render_card(card_of(photo), layout.card_box(), min(size)).paste(planes(picture))

    image = cv2.cvtColor(picture, cv2.COLOR_YUV2BGR_I420)

    assert cv2.QRCodeDetector().detectAndDecode(image)[0] == URL


def test_picture_of_the_product_is_seen(photo: str) -> None:
    layout, _ = layout_of((960, 540))
    picture = plain_background(960, 540)
    render_card(card_of(photo), layout.card_box(), 540).paste(planes(picture))

    image = cv2.cvtColor(picture, cv2.COLOR_YUV2BGR_I420)
    box = layout.card_box()
    seen = image[box.top + 20 : box.top + 60, (box.left + box.right) // 2].mean(axis=0)

    assert np.abs(seen - (160, 90, 40)).max() < 12


def test_card_without_anything_but_a_name_is_small_and_a_lost_picture_is_left_out() -> None:
    layout, _ = layout_of((960, 540))
    box = layout.card_box()

    bare = render_card(CardSpec("Tea"), box, 540)
    lost = render_card(card_of("/nowhere/tea.png"), box, 540)
    whole = render_card(card_of(), box, 540)

    assert bare.height_px < box.height / 3
    assert (lost.parts[0].colour == whole.parts[0].colour).all()


def test_long_texts_stay_inside_the_card(photo: str) -> None:
    for size in SIZES:
        layout, _ = layout_of(size)
        full = card_of(photo, title="茶" * 100, text="好" * 500, price="¥" + "9" * 23)

        patch = render_card(full, layout.card_box(), min(size))

        assert patch.height_px <= layout.card_box().height + 2 * round(min(size) * 0.014) + 4


@pytest.mark.parametrize(
    ("size", "url"),
    # In 640x360 a QR code leaves room for the product's picture or for praise.
    [*((size, "") for size in SIZES), *((size, URL) for size in SIZES[1:])],
)
def test_words_become_smaller_before_they_are_cut(
    size: tuple[int, int], url: str, photo: str
) -> None:
    """The end of a text is in the picture: another end is another picture."""
    layout, _ = layout_of(size)
    box, short = layout.card_box(), min(size)
    names = [render_card(card_of(photo, title=f"高山冻顶乌龙茶礼盒装{end}", url=url), box, short)
             for end in "大小"]  # fmt: skip
    texts = [render_card(card_of(photo, text=f"限量 200 盒，第二件半{end}", url=url), box, short)
             for end in "价件"]  # fmt: skip

    for one, other in (names, texts):
        assert (one.height_px, one.width_px) == (other.height_px, other.width_px)
        assert (one.parts[0].colour != other.parts[0].colour).any()


def test_clock_does_not_change_its_size() -> None:
    sizes = {draw_clock(text, 960, 540).size for text in ("11:11:11", "20:08:59", "00:00:00")}

    assert len(sizes) == 1


def test_logo_loses_its_clear_margin_and_keeps_its_shape() -> None:
    logo = Image.new("RGBA", (1000, 1000), (0, 0, 0, 0))
    logo.paste((255, 0, 0, 255), (400, 400, 600, 500))

    fitted = fit_logo(logo, 1280, 720)

    assert abs(fitted.width / fitted.height - 2) < 0.1
    assert fitted.height <= 720 * 0.13
    assert np.asarray(fitted)[..., 3].min() > 200


def test_pasting_all_of_it_costs_little(photo: str) -> None:
    """0.25 ms a picture at 720p, and on any machine less than drawing over the picture would."""
    layout, images = layout_of((1280, 720))
    patches = list(patches_of(layout, images, card_of(photo)).values())
    target = planes(plain_background(1280, 720))

    def paste_and_uncover() -> float:
        begin = time.thread_time()
        covered = [(patch, patch.paste(target)) for patch in patches]
        for patch, before in reversed(covered):
            patch.uncover(target, before)
        return time.thread_time() - begin

    def draw_over_the_picture() -> float:
        begin = time.thread_time()
        for plane in (target.y, target.u, target.v):
            for _ in range(2):
                plane[:] = (plane.astype(np.uint16) * 3 + plane) >> 2
        return time.thread_time() - begin

    costs = [(paste_and_uncover(), draw_over_the_picture()) for _ in range(20)]
    pasted, drawn = (min(column) for column in zip(*costs, strict=True))
    assert pasted < 2 * drawn
