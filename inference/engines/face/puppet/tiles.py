"""The picture as small square tiles, so that a frame costs what is painted in it and no more.

Tiles are kept one after the other in memory, whole: one OpenCV call then serves all tiles of a
layer wherever they lie, and a blend touches no pixel beyond them.
"""

from __future__ import annotations

import weakref
from typing import Any, Final

import cv2
import numpy as np

from inference.engines.base import Picture

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
# float32; typed loosely, because mypy takes arithmetic with plain numbers for float64.
Floats = np.ndarray[Any, np.dtype[Any]]
Numbers = np.ndarray[Any, np.dtype[np.int64]]
# x0 y0 x1 y1 in tiles, ends excluded.
Region = tuple[int, int, int, int]
Mask = np.ndarray[Any, np.dtype[np.bool_]]


def tile_side_px(scale: float) -> int:
    """Side of a tile: about 16 art units, which is fine enough for the jaw to bend in.

    Smaller tiles follow outlines closer, larger ones cost less each: at 720 lines a frame costs
    about the same with 8 and 16 px and a third more with 32 (AMD EPYC, 2026).
    """
    if scale < 0.7:
        return 8
    return 16 if scale < 1.4 else 32


class TileGrid:
    """How a picture is divided; the last row and column may reach past its edge."""

    def __init__(self, width_px: int, height_px: int, side_px: int) -> None:
        self.side_px = side_px
        self.width_px, self.height_px = width_px, height_px
        self.columns, self.rows = -(-width_px // side_px), -(-height_px // side_px)

    def nodes(self, region: Region | None = None) -> tuple[Floats, Floats]:
        """Px of the corners of a region's tiles (of all): x (1, columns + 1), y (rows + 1, 1)."""
        x0, y0, x1, y1 = region or (0, 0, self.columns, self.rows)
        side = np.float32(self.side_px)
        x = np.arange(x0, x1 + 1, dtype=np.float32) * side
        y = np.arange(y0, y1 + 1, dtype=np.float32) * side
        return x[np.newaxis], y[:, np.newaxis]

    def cut(self, pixels: Pixels) -> Pixels:
        """(height, width, 4) to (tiles, side * side, 4), row by row; edges are continued."""
        below = self.rows * self.side_px - self.height_px
        right = self.columns * self.side_px - self.width_px
        full = np.pad(pixels, ((0, below), (0, right), (0, 0)), mode="edge")
        side = self.side_px
        tiles = full.reshape(self.rows, side, self.columns, side, 4).swapaxes(1, 2)
        return np.ascontiguousarray(tiles).reshape(-1, side * side, 4)


class Spread:
    """Works out the value at each pixel of a tile from the values at its corners."""

    def __init__(self, side_px: int) -> None:
        down, right = (axis.ravel() / side_px for axis in np.mgrid[0:side_px, 0:side_px])
        weights = [(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right]
        self._weights = np.stack(weights).astype(np.float32)

    def __call__(self, corners: Floats, out: Floats) -> Floats:
        """corners: (2, n, 4), row by row. out: room for the result, (2, n, side * side)."""
        count = corners.shape[1]
        result = out[: 2 * count]
        np.matmul(corners.reshape(-1, 4), self._weights, out=result)
        return result.reshape(2, count, -1)


class Blender:
    """Lays one picture over another, with working memory that is allocated once.

    Fresh arrays of this size would be mapped and faulted in at every call, which costs more than
    the arithmetic.
    """

    def __init__(self, most_pixels: int) -> None:
        self._inverse = np.empty(most_pixels, np.uint32)

    def blend(self, canvas: Pixels, over: Any) -> None:
        """Lay `over` on `canvas`, both (h, w, 4) uint8 premultiplied; canvas changes in place."""
        height, width = canvas.shape[:2]
        inverse = self._inverse[: height * width].reshape(height, width)
        # The alpha of each pixel, the last of its four bytes, in all four: in a third of the time
        # that taking the channel out and putting it together takes.
        np.right_shift(_as_numbers(over), _ALPHA_BITS, out=inverse)
        np.multiply(inverse, _ALL_BYTES, out=inverse)
        np.invert(inverse, out=inverse)
        kept = inverse.view(np.uint8).reshape(height, width, 4)
        cv2.multiply(canvas, kept, dst=kept, scale=_PER_ALPHA)
        cv2.add(kept, over, dst=canvas)


def _as_numbers(pixels: Any) -> Any:
    """(h, w, 4) bytes as (h, w) numbers, little end first."""
    return pixels.view("<u4")[..., 0]


_BYTE_BITS: Final = np.uint32(8)
_ALPHA_BITS: Final = np.uint32(24)
_ALL_BYTES: Final = np.uint32(0x01010101)
_PER_ALPHA: Final = 1 / 255


class TilePicture:
    """Puts finished tiles into I420 pictures whose rest is the background.

    A picture that it has written before is taken to hold what was left in it: only the tiles that
    are painted no more get their background back, which is a tenth of a whole copy.
    """

    def __init__(self, grid: TileGrid, ground_i420: Picture) -> None:
        self._grid = grid
        width, height = grid.columns * grid.side_px, grid.rows * grid.side_px
        is_whole = (width, height) == (grid.width_px, grid.height_px)
        self._ground = ground_i420
        self._padded: Picture | None = None
        if not is_whole:
            self._ground = np.zeros((height * 3 // 2, width), np.uint8)
            self._copy_planes(ground_i420, self._ground)
            self._padded = np.empty_like(self._ground)
        self._luma = np.empty(width * height, np.uint8)
        # By its id, each picture that is alive and what is painted in it: (tiles,) bool.
        self._written: dict[int, tuple[weakref.ref[Picture], Mask]] = {}

    def write(self, numbers: Numbers, tiles: Pixels, out: Picture) -> None:
        """numbers: (n,) tiles of the grid. tiles: (n, side * side, 4) YUVA. out: I420."""
        picture = out if self._padded is None else self._padded
        self._clear(numbers, picture)
        self._put(numbers, tiles, picture)
        if self._padded is not None:
            self._copy_planes(self._padded, out)

    def _clear(self, numbers: Numbers, picture: Picture) -> None:
        """Give the background back to tiles that were painted and will not be."""
        now = np.zeros(self._grid.columns * self._grid.rows, np.bool_)
        now[numbers] = True
        known = self._written.get(id(picture))
        # An id is used again when its picture is gone.
        if known is None or known[0]() is not picture:
            np.copyto(picture, self._ground)
            self._forget_gone()
            self._written[id(picture)] = weakref.ref(picture), now
            return
        places = np.divmod(np.flatnonzero(known[1] & ~now), self._grid.columns)
        for plane, ground in zip(_planes(picture), _planes(self._ground), strict=True):
            _blocks(plane, self._grid)[places] = _blocks(ground, self._grid)[places]
        self._written[id(picture)] = known[0], now

    def _forget_gone(self) -> None:
        self._written = {key: kept for key, kept in self._written.items() if kept[0]() is not None}

    def _copy_planes(self, source: Picture, target: Picture) -> None:
        """Between pictures of which one is padded; what both have is copied."""
        width, height = self._grid.width_px, self._grid.height_px
        for give, take in zip(_planes(source), _planes(target), strict=True):
            halves = 1 if give.shape[0] == source.shape[0] * 2 // 3 else 2
            rows, columns = height // halves, width // halves
            np.copyto(take[:rows, :columns], give[:rows, :columns])

    def _put(self, numbers: Numbers, tiles: Pixels, picture: Picture) -> None:
        grid, side = self._grid, self._grid.side_px
        places = np.divmod(numbers, grid.columns)
        luma = self._luma[: len(numbers) * side * side].reshape(-1, side * side)
        # The number of a pixel, cut to a byte, is its first one: four times as quick as OpenCV's
        # `extractChannel`. Chroma is that of every second pixel.
        pixels = _as_numbers(tiles)
        np.copyto(luma, pixels, casting="unsafe")
        half = np.ascontiguousarray(pixels.reshape(-1, side, side)[:, ::2, ::2])
        colours = []
        for _ in ("U", "V"):
            np.right_shift(half, _BYTE_BITS, out=half)
            colours.append(half.astype(np.uint8).reshape(-1, side * side // 4))
        sources = (luma, *colours)
        for plane, source in zip(_planes(picture), sources, strict=True):
            _scatter(plane, grid, places, source)


def _planes(picture: Picture) -> tuple[Picture, Picture, Picture]:
    """Y, U and V of an I420 picture, as views."""
    height, width = picture.shape[0] * 2 // 3, picture.shape[1]
    chroma = picture[height:].reshape(2, height // 2, width // 2)
    return picture[:height], chroma[0], chroma[1]


def _scatter(plane: Picture, grid: TileGrid, places: tuple[Numbers, Numbers], tiles: Any) -> None:
    """Put (n, pixels) tiles into a plane."""
    blocks = _blocks(plane, grid)
    blocks[places] = tiles.view(blocks.dtype)


def _blocks(plane: Picture, grid: TileGrid) -> Any:
    """The tiles of a plane as a view: (rows, columns, lines of a tile).

    A line of a tile is moved as one item, which is three times as quick as its bytes.
    """
    height, width = plane.shape[0] // grid.rows, plane.shape[1] // grid.columns
    line = np.dtype((np.void, width))
    return plane.view(line).reshape(grid.rows, height, grid.columns).swapaxes(1, 2)
