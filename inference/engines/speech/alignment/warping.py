"""Dynamic time warping: which moment of one speaker's sentence is which of another's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from inference.engines.speech.alignment.features import Floats

_BLOCKED: Final = np.float32(1e9)
# A step along one side only repeats a frame: it costs a little more than going on in both.
_REPEAT_COST: Final = np.float32(1.3)

_Indexes = np.ndarray[Any, np.dtype[np.intp]]
_Doubles = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Warp:
    """times: (n,) float64, for each frame of the reference its frame in the sound, rising.

    cost: median distance along the path; 1 is what strangers have who are not aligned.
    """

    times: _Doubles
    cost: float


def warp(reference: Floats, sound: Floats, expected: _Doubles, slack_frames: float) -> Warp:
    """Align two feature rows (n, k) and (m, k).

    expected: (n,) float64, about where in the sound each reference frame is; frames further than
    slack_frames from it are not considered. Source: Sakoe and Chiba 1978, with a free band.
    """
    costs = _distances(reference, sound)
    rows, columns = _trace(_fill(costs, _band(expected, slack_frames, costs.shape)), costs)
    cost = float(np.median(costs[rows, columns]))
    count = np.bincount(rows, minlength=len(reference))
    total = np.bincount(rows, weights=columns.astype(np.float64), minlength=len(reference))
    return Warp(np.maximum.accumulate(total / np.maximum(count, 1)), cost)


def _distances(reference: Floats, sound: Floats) -> Floats:
    """(n, m) float32: root of the mean squared difference, divided by what strangers have."""
    # A table is up to 36 MB: one is worked on in place, and one added.
    table = reference @ sound.T
    table *= 2
    sums = np.sum(reference**2, axis=1)[:, None] + np.sum(sound**2, axis=1)[None, :]
    np.subtract(sums, table, out=table)
    np.maximum(table, 0, out=table)
    # Two unrelated rows of mean 0 and spread 1 differ by sqrt(2) in each column.
    table /= 2 * reference.shape[1]
    result: Floats = np.sqrt(table, out=table)
    return result


def _band(expected: _Doubles, slack_frames: float, shape: tuple[int, ...]) -> _Indexes:
    """(n + m - 1, 2): the first row and the end of the rows looked at on each anti-diagonal."""
    rows, columns = shape
    diagonals = np.arange(rows + columns - 1)
    where = np.arange(rows) + expected  # the diagonal on which each row is expected; rising
    first = np.searchsorted(where, diagonals - slack_frames)
    end = np.searchsorted(where, diagonals + slack_frames, side="right")
    first = np.maximum(first, diagonals - columns + 1)
    end = np.minimum(end, np.minimum(diagonals + 1, rows))
    return np.stack((first, end), axis=1)


def _fill(costs: Floats, band: _Indexes) -> Floats:
    """(n + m - 1, n + 1) float32: the cost of the cheapest path to each cell of the band.

    Cell (i, j) is at [i + j, i + 1]: whole anti-diagonals at once, for their cells do not depend
    on each other, and a diagonal is a row of memory.
    """
    rows, columns = costs.shape
    totals = np.full((rows + columns - 1, rows + 1), _BLOCKED, np.float32)
    totals[0, 1] = costs[0, 0]
    # From a cell of a diagonal to the next one, down and to the left.
    flat, step = costs.reshape(-1), max(1, columns - 1)
    for diagonal, (first, end) in enumerate(band.tolist()):
        if diagonal == 0 or first >= end:
            continue
        begin = diagonal + first * (columns - 1)
        own = flat[begin : begin + (end - first - 1) * step + 1 : step]
        last = totals[diagonal - 1]
        best = np.minimum(last[first:end], last[first + 1 : end + 1])
        best += own * _REPEAT_COST
        if diagonal > 1:
            both = totals[diagonal - 2, first:end] + own
            np.minimum(best, both, out=best)
        totals[diagonal, first + 1 : end + 1] = best
    return totals


def _trace(totals: Floats, costs: Floats) -> tuple[_Indexes, _Indexes]:
    """The cells of the cheapest path from the first to the last corner."""
    row, column = costs.shape[0] - 1, costs.shape[1] - 1
    path = [(row, column)]
    while row or column:
        diagonal = row + column
        repeat = float(costs[row, column]) * (float(_REPEAT_COST) - 1)
        both = float(totals[diagonal - 2, row]) if row and column else np.inf
        above = float(totals[diagonal - 1, row]) + repeat if row else np.inf
        left = float(totals[diagonal - 1, row + 1]) + repeat if column else np.inf
        if both <= above and both <= left:
            row, column = row - 1, column - 1
        elif above <= left:
            row -= 1
        else:
            column -= 1
        path.append((row, column))
    cells = np.array(path[::-1], np.intp)
    return cells[:, 0], cells[:, 1]
