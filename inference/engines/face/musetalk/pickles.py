"""Lists of numbers out of a pickle, without running what a pickle may run.

MuseTalk and LiveTalking keep boxes as `pickle.dump` of a list of tuples, lists or arrays. A pickle
is a program: here its instructions are looked through first, and what they may call are stand-ins
of ours that only hold numbers. NumPy's own are never called.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import struct
from pathlib import Path
from typing import Any, Final

from inference.engines.base import EngineError

# 20,000 boxes of four NumPy numbers are 1 MB.
MAX_BYTES: Final = 16 << 20
# A box that is named again takes two bytes of a pickle, and hundreds of memory.
MAX_BOXES: Final = 20_000
# Instructions that make numbers, texts, lists and tuples, and keep them for later.
_HARMLESS: Final = frozenset(
    """
    PROTO FRAME STOP MARK POP POP_MARK DUP NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG
    LONG1 LONG4 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES BINBYTES8
    BYTEARRAY8 UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 EMPTY_LIST LIST APPEND APPENDS
    EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 PUT BINPUT LONG_BINPUT GET BINGET LONG_BINGET MEMOIZE
    GLOBAL STACK_GLOBAL REDUCE BUILD
    """.split()
)
_MEMO: Final = ("PUT", "BINPUT", "LONG_BINPUT")
_KINDS: Final = {"i1": "b", "i2": "h", "i4": "i", "i8": "q", "f4": "f", "f8": "d", "u1": "B",
                 "u2": "H", "u4": "I", "u8": "Q"}  # fmt: skip


class PickleError(EngineError):
    """The file holds something else than numbers, or is damaged."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__("bad_pickle", f"{name} is not taken: {reason}.", retryable=False)


class _Dtype:
    """Stands in for numpy.dtype: remembers which plain number is meant."""

    def __init__(self, code: str, *_: object) -> None:
        if code not in _KINDS:
            raise ValueError(f"numbers of kind {code!r}")
        self.code, self.order = _KINDS[code], "<"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = ">" if state[1] == ">" else "<"

    def numbers(self, raw: bytes) -> list[float]:
        """What the bytes say. Raises struct.error."""
        size = struct.calcsize(self.code)
        return list(struct.unpack(f"{self.order}{len(raw) // size}{self.code}", raw))


class _Array:
    """Stands in for numpy.ndarray of one dimension."""

    def __init__(self) -> None:
        self.numbers: list[float] = []

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, _, raw = state
        self.numbers = dtype.numbers(raw)
        if shape != (len(self.numbers),):
            raise ValueError("an array of another shape than its numbers")


def _reconstruct(*_: object) -> _Array:
    return _Array()


def _from_buffer(raw: bytes, dtype: _Dtype, shape: tuple[int, ...], *_: object) -> _Array:
    array = _Array()
    array.__setstate__((0, shape, dtype, 0, raw))
    return array


def _scalar(dtype: _Dtype, raw: bytes) -> float:
    (number,) = dtype.numbers(raw)
    return number


def _encode(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise ValueError("another encoding")
    return text.encode("latin1")


_KNOWN: Final[dict[tuple[str, str], Any]] = {
    ("numpy", "dtype"): _Dtype,
    # Only named, as the first argument of the next: never called itself.
    ("numpy", "ndarray"): None,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _reconstruct for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _from_buffer for core in ("core", "_core")},
    # Older protocols spell bytes so.
    ("_codecs", "encode"): _encode,
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"it asks to run {module}.{name}")
        return _KNOWN[module, name]


def read_boxes(path: Path) -> list[tuple[float, float, float, float]]:
    """A list of boxes of four numbers. Raises PickleError naming what else is asked for."""
    if path.stat().st_size > MAX_BYTES:
        raise PickleError(path.name, f"it is larger than {MAX_BYTES >> 20} MiB")
    raw = path.read_bytes()
    try:
        _look_through(raw)
        rows = _Reader(io.BytesIO(raw)).load()
        return [_box(row) for row in _list(rows)]
    except pickle.UnpicklingError as error:
        raise PickleError(path.name, str(error)) from error
    except (ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, RecursionError,
            TypeError, ValueError, struct.error) as error:  # fmt: skip
        raise PickleError(path.name, "it is damaged, or no list of boxes") from error


def _look_through(raw: bytes) -> None:
    """Refuse instructions that lists of numbers do not need, before any of them is followed."""
    count = 0
    for operation, argument, _ in pickletools.genops(raw):
        count += 1
        if operation.name not in _HARMLESS:
            raise pickle.UnpicklingError(f"it holds an instruction {operation.name}")
        # A number of a place that is far away makes the reader claim memory up to it.
        if operation.name in _MEMO and int(argument or 0) > count:
            raise pickle.UnpicklingError("it keeps values at places that do not exist")


def _list(rows: Any) -> list[Any]:
    if not isinstance(rows, list):
        raise ValueError("no list")
    if len(rows) > MAX_BOXES:
        raise ValueError("too many boxes")
    return rows


def _box(row: Any) -> tuple[float, float, float, float]:
    values = row.numbers if isinstance(row, _Array) else row
    if not isinstance(values, list | tuple) or len(values) != 4:
        raise ValueError("no box")
    if not all(isinstance(value, int | float) for value in values):
        raise ValueError("no numbers")
    # Whole numbers of a pickle may have any number of digits.
    x0, y0, x1, y1 = map(float, values)
    return x0, y0, x1, y1
