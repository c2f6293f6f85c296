"""Hostile files: bombs, polyglots, lies about themselves. Each is made here, none is stored."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Final

from PIL import Image

from tests.streams.pictures import image_bytes

SCRIPT: Final = b"<html><script>alert('owned')</script></html>"
PNG_MARK: Final = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, content: bytes = b"") -> bytes:
    """One chunk of a PNG."""
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def png(width: int, height: int, rows: bytes, *extra: bytes, depth: int = 8) -> bytes:
    """A grey PNG with compressed rows and further chunks before them."""
    head = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    return PNG_MARK + chunk(b"IHDR", head) + b"".join(extra) + chunk(b"IDAT", rows) + chunk(b"IEND")


def zeros(count: int) -> bytes:
    """That many bytes of nothing, compressed a thousandfold."""
    packer = zlib.compressobj(9)
    parts = [packer.compress(bytes(1 << 20)) for _ in range(count >> 20)]
    return b"".join([*parts, packer.compress(bytes(count & ((1 << 20) - 1))), packer.flush()])


def grey(side: int = 64) -> bytes:
    """The rows of a small picture."""
    return zlib.compress(bytes(side * (side + 1)))


def gif(frames: int) -> bytes:
    """A GIF of many pictures."""
    pictures = [Image.new("P", (64, 64), n % 256) for n in range(frames)]
    written = io.BytesIO()
    pictures[0].save(written, "GIF", save_all=True, append_images=pictures[1:])
    return written.getvalue()


def moving_webp(frames: int) -> bytes:
    """A WebP of many pictures."""
    pictures = [Image.new("RGB", (640, 640), (n % 256, 0, 0)) for n in range(frames)]
    written = io.BytesIO()
    pictures[0].save(written, "WEBP", save_all=True, append_images=pictures[1:])
    return written.getvalue()


def archive() -> bytes:
    """A zip that grows a thousandfold."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("../../evil.txt", bytes(64 << 20))
    return written.getvalue()


def jpeg_with(marker: bytes, content: bytes, times: int = 1) -> bytes:
    """A small JPEG with application segments before its picture."""
    plain = image_bytes((64, 64), "JPEG", "RGB")
    segment = marker + struct.pack(">H", len(content) + 2) + content
    return plain[:2] + segment * times + plain[2:]


def looping_exif() -> bytes:
    """EXIF whose directory names itself as the next, and whose entries point everywhere."""
    entries = b"".join(struct.pack("<HHII", 0x0112 + n, 3, 0xFFFFFFFF, 8) for n in range(60))
    directory = struct.pack("<H", 60) + entries + struct.pack("<I", 8)
    return jpeg_with(b"\xff\xe1", b"Exif\0\0II*\0\x08\0\0\0" + directory)


def svg() -> bytes:
    """Every way in which an SVG reaches out."""
    return (
        b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">'
        b'<!ENTITY x SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg" '
        b'onload="alert(1)"><script>alert(1)</script><image href="http://127.0.0.1:9/"/>&b;&x;</svg>'
    )


PDF: Final = b"%PDF-1.4\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\n%%EOF"
REFUSED: Final[dict[str, Callable[[], bytes]]] = {
    "nothing": lambda: b"",
    "one byte": lambda: b"\x89",
    "900 megapixels": lambda: png(30_000, 30_000, zeros(30_000 * 3751), depth=1),
    "a header that lies": lambda: png(0xFFFFFFF, 0xFFFFFFF, grey()),
    "negative size": lambda: png(0x80000000, 0x80000000, grey()),
    "no width": lambda: png(0, 64, grey()),
    "JPEG header of 4 gigapixels": lambda: image_bytes((64, 64), "JPEG", "RGB").replace(
        struct.pack(">HH", 64, 64), b"\xff\xff\xff\xff", 1
    ),
    "profile bomb": lambda: png(64, 64, b"", chunk(b"iCCP", b"a\0\0" + zeros(200 << 20))),
    "cut PNG": lambda: image_bytes((400, 400))[:-200],
    "cut JPEG": lambda: image_bytes((400, 400), "JPEG", "RGB")[:300],
    "wrong checksum": lambda: image_bytes().replace(b"IDAT", b"IDAt", 1),
    "GIF of 2000 pictures": lambda: gif(2000),
    "SVG": svg,
    "zip bomb": archive,
    "PDF with JavaScript": lambda: PDF,
    "HTML": lambda: SCRIPT,
    "TIFF": lambda: image_bytes((64, 64), "TIFF", "RGB"),
    "BMP": lambda: image_bytes((64, 64), "BMP", "RGB"),
    "ICO": lambda: image_bytes((64, 64), "ICO"),
    "EPS": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n(%pipe%id) (r) file\n",
    "XBM": lambda: b"#define a_width 64\n#define a_height 64\nstatic char a_bits[] = {0};",
    "ImageMagick script": lambda: b"push graphic-context\nfill 'url(https://127.0.0.1/x|id)'\n",
    "HLS list": lambda: b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
}
# Taken, and written anew: nothing of what came along may be in what is kept.
REWRITTEN: Final[dict[str, Callable[[], bytes]]] = {
    "text bomb": lambda: png(64, 64, grey(), chunk(b"zTXt", b"a\0\0" + zeros(500 << 20))),
    "rows bomb": lambda: png(64, 64, zeros(1 << 30)),
    "half a million chunks": lambda: png(64, 64, grey(), chunk(b"tEXt", b"a\0b") * 500_000),
    "HTML in a PNG": lambda: png(64, 64, grey(), chunk(b"tEXt", b"a\0" + SCRIPT)),
    "HTML after a PNG": lambda: image_bytes() + SCRIPT,
    "zip after a JPEG": lambda: image_bytes((64, 64), "JPEG", "RGB") + archive(),
    "profile in a PNG": lambda: png(
        64, 64, grey(), chunk(b"iCCP", b"a\0\0" + zlib.compress(SCRIPT * 10))
    ),
    "PDF in a JPEG": lambda: jpeg_with(b"\xff\xfe", PDF),
    "EXIF that loops": looping_exif,
    "a hundred profiles": lambda: jpeg_with(b"\xff\xe2", b"ICC_PROFILE\0\1\1" + b"x" * 60_000, 100),
    "moving WebP": lambda: moving_webp(100),
    "40 megapixels": lambda: png(6320, 6320, zeros(6320 * 6321)),
}
BYTES_OF_STRANGERS: Final = (
    b"<script",
    b"alert",
    b"PK\x03\x04",
    b"%PDF",
    b"JavaScript",
    b"evil.txt",
)


def damaged(count: int) -> Iterator[bytes]:
    """Good pictures with bytes changed, taken away and put in, the same at each run."""
    chance = random.Random(4)
    good = [
        image_bytes((96, 96)),
        image_bytes((96, 96), "JPEG", "RGB"),
        image_bytes((96, 96), "WEBP"),
    ]
    for number in range(count):
        made = bytearray(good[number % len(good)])
        for _ in range(chance.randint(1, 12)):
            at = chance.randrange(len(made))
            made[at : at + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 4))
        yield bytes(made)
