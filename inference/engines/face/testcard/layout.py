"""Where the test card carries its bits, as fractions of the picture, and how they are protected.

48 bits in 6 rows of 8: a sync byte, 24 bits of media clock in ms, 8 bits of generation, a CRC-8.
The blocks stay clear of the edges, where captions, title and AI label lie.
"""

from __future__ import annotations

from typing import Final

COLUMNS: Final = 8
ROWS: Final = 6
SYNC: Final = 0xA5
CLOCK_BITS: Final = 24
# (left, top, right, bottom) in 0..1. At 320x180 a bit is 20 x 16 px: two macroblocks or more.
GRID: Final = (4 / 16, 0.2, 12 / 16, 0.74)
BLACK: Final = (1 / 16, 0.2, 3 / 16, 0.45)
WHITE: Final = (1 / 16, 0.49, 3 / 16, 0.74)
FLASH: Final = (13 / 16, 0.2, 15 / 16, 0.74)
FLASH_MS: Final = 40


Box = tuple[int, int, int, int]


def box_px(part: tuple[float, float, float, float], width_px: int, height_px: int) -> Box:
    """x0, y0, x1, y1 of a part of the card, ends excluded."""
    left, top, right, bottom = part
    return (
        round(left * width_px),
        round(top * height_px),
        round(right * width_px),
        round(bottom * height_px),
    )


def bit_box_px(index: int, width_px: int, height_px: int) -> Box:
    """The block of bit `index`, counted row by row from the top left, most significant first."""
    left, top, right, bottom = GRID
    row, column = divmod(index, COLUMNS)
    cell_width, cell_height = (right - left) / COLUMNS, (bottom - top) / ROWS
    x, y = left + column * cell_width, top + row * cell_height
    return box_px((x, y, x + cell_width, y + cell_height), width_px, height_px)


def encode_bits(clock_ms: int, generation: int) -> int:
    """The 48 bits of one card."""
    content = (clock_ms % (1 << CLOCK_BITS)) << 8 | generation % 256
    return SYNC << 40 | content << 8 | crc8(content.to_bytes(4, "big"))


def decode_bits(word: int) -> tuple[int, int] | None:
    """(clock in ms, generation), or None when sync or checksum are wrong."""
    content = (word >> 8) & 0xFFFFFFFF
    if word >> 40 != SYNC or crc8(content.to_bytes(4, "big")) != word & 0xFF:
        return None
    return content >> 8, content & 0xFF


def crc8(content: bytes) -> int:
    """CRC-8 with polynomial 0x07, start 0 (SMBus)."""
    crc = 0
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1) ^ 0x07 if crc & 0x80 else crc << 1
            crc &= 0xFF
    return crc
