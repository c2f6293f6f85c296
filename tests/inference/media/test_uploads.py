"""What becomes of an uploaded image, and what is refused."""

from __future__ import annotations

import io
import json
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image, ImageCms

from inference.media.uploads import UploadError, UploadKind, rewrite_upload


def rewrite(path: Path, kind: UploadKind = "card") -> tuple[dict[str, object], Image.Image]:
    facts, _, content = rewrite_upload(path, kind).partition(b"\n")
    return json.loads(facts), Image.open(io.BytesIO(content))


def save(path: Path, image: Image.Image, form: str = "PNG", **options: object) -> Path:
    image.save(path, form, **options)
    return path


def test_transparent_picture_stays_transparent(tmp_path: Path) -> None:
    path = save(tmp_path / "a", Image.new("RGBA", (40, 20), (255, 0, 0, 90)))

    facts, kept = rewrite(path, "logo")

    assert facts == {"format": "png", "width_px": 40, "height_px": 20}
    assert kept.format == "PNG"
    assert kept.getpixel((5, 5)) == (255, 0, 0, 90)


def test_transparent_background_stands_on_white(tmp_path: Path) -> None:
    path = save(tmp_path / "a", Image.new("RGBA", (40, 20), (0, 0, 0, 0)))

    facts, kept = rewrite(path, "background")

    assert facts["format"] == "jpg"
    assert kept.getpixel((5, 5)) == (255, 255, 255)


def test_photo_stands_upright_and_loses_its_metadata(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6  # orientation: turned by a quarter
    exif[315] = "Somebody"
    path = save(tmp_path / "a", Image.new("RGB", (60, 30), "red"), "JPEG", exif=exif)

    facts, kept = rewrite(path)

    assert (facts["width_px"], facts["height_px"]) == (30, 60)
    assert dict(kept.getexif()) == {}


@pytest.mark.parametrize(("kind", "longest"), [("card", 1200), ("background", 3840)])
def test_large_picture_is_made_smaller(tmp_path: Path, kind: UploadKind, longest: int) -> None:
    path = save(tmp_path / "a", Image.new("RGB", (4000, 200), "red"), "WEBP")

    facts, _ = rewrite(path, kind)

    assert (facts["width_px"], facts["height_px"]) == (longest, longest // 20)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "CMYK", "I;16", "1"])
def test_every_kind_of_colours_is_taken(tmp_path: Path, mode: str) -> None:
    form = "JPEG" if mode == "CMYK" else "PNG"
    path = save(tmp_path / "a", Image.new(mode, (20, 20)), form)

    assert rewrite(path)[0]["width_px"] == 20


@pytest.mark.parametrize(("mode", "form"), [("RGB", "JPEG"), ("RGBA", "PNG")])
def test_colours_are_those_that_the_profile_means(tmp_path: Path, mode: str, form: str) -> None:
    path = tmp_path / "picture"
    Image.new(mode, (32, 32), (255, 0, 0)).save(path, form, icc_profile=swapped_profile())

    _, kept = rewrite(path)

    red, green, _ = kept.convert("RGB").getpixel((9, 9))
    assert green > 240
    assert red < 20


def test_damaged_profile_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "picture"
    Image.new("RGB", (32, 32), (255, 0, 0)).save(path, "JPEG", icc_profile=b"nonsense")

    _, kept = rewrite(path)

    assert kept.getpixel((9, 9)) == (254, 0, 0)


def swapped_profile() -> bytes:
    """One whose first channel is green and whose second is red."""
    plain = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    marked = plain.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ")
    return marked.replace(b"????", b"gXYZ")


def test_name_of_the_file_does_not_count(tmp_path: Path) -> None:
    gif = save(tmp_path / "a.png", Image.new("P", (20, 20)), "GIF")
    text = tmp_path / "b.jpg"
    text.write_text("<svg onload='alert(1)'/>")

    for path in (gif, text):
        with pytest.raises(UploadError) as caught:
            rewrite_upload(path, "card")
        assert caught.value.code == "picture_unreadable"


def test_cut_off_file_is_refused(tmp_path: Path) -> None:
    whole = save(tmp_path / "a", Image.effect_noise((200, 200), 50), "JPEG").read_bytes()
    cut = tmp_path / "b"
    cut.write_bytes(whole[: len(whole) // 2])

    with pytest.raises(UploadError, match="whole"):
        rewrite_upload(cut, "card")


def test_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 6, 0, 0, 0)
    path = tmp_path / "a"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    )

    with pytest.raises(UploadError) as caught:
        rewrite_upload(path, "background")

    assert caught.value.code == "picture_too_large"


def test_speck_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a", Image.new("RGB", (500, 15)))

    with pytest.raises(UploadError) as caught:
        rewrite_upload(path, "logo")

    assert caught.value.code == "picture_too_small"
