"""Finding a font that has Chinese."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from inference.media import fonts
from inference.media.fonts import FontMissingError, drawable, find_font, font_of_height


@pytest.fixture
def fresh_search() -> Iterator[None]:
    find_font.cache_clear()
    yield
    find_font.cache_clear()


def test_bundled_font_is_simplified_chinese() -> None:
    family, _ = fonts.load_font(20).getname()

    assert family is not None
    assert family.endswith("SC")


@pytest.mark.usefixtures("fresh_search")
def test_system_font_is_found_without_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "opentype" / "noto"
    folder.mkdir(parents=True)
    (folder / "NotoSansCJK-Regular.ttc").write_bytes(b"")
    monkeypatch.setattr(fonts, "_PACKAGE", "a_package_that_is_not_there")
    monkeypatch.setattr(fonts, "_SYSTEM_FOLDERS", (tmp_path,))

    assert find_font() == fonts.FontFile(folder / "NotoSansCJK-Regular.ttc", 2)


@pytest.mark.usefixtures("fresh_search")
def test_missing_font_is_said_in_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fonts, "_PACKAGE", "a_package_that_is_not_there")
    monkeypatch.setattr(fonts, "_SYSTEM_FOLDERS", (tmp_path / "none",))

    with pytest.raises(FontMissingError, match="fonts-noto-cjk"):
        find_font()


@pytest.mark.parametrize(("height", "sample"), [(18, "国"), (27, "A"), (54, "国")])
def test_font_is_at_least_as_high_as_asked_but_not_much_more(height: int, sample: str) -> None:
    _, top, _, bottom = font_of_height(height, sample).getbbox(sample)

    assert height <= bottom - top <= height + 2


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("好😀，👨‍👩‍👧🇨🇳1️⃣号", "好，1号"),
        ("1̶9̶9̶元", "199元"),
        ("控\x00制\u202e字\u200b符", "控制字符"),
        ("cafe\u0301 ①½㎡℃★", "café ①½㎡℃★"),
        ("𠮷野家 囍 한 ひ", "𠮷野家 囍 한 ひ"),
        ("a\tb\nc", "a\tb\nc"),
    ],
)
def test_what_the_font_lacks_is_left_out(text: str, drawn: str) -> None:
    assert drawable(text) == drawn
