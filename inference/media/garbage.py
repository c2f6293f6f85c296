"""Keeps Python's garbage collector out of the way of the media."""

from __future__ import annotations

import gc
from typing import Final

# Net new objects before the youngest are looked at; Python's own 700 come together ten times a
# second on air, and a full look at all that a runner has imported takes tens of milliseconds.
_YOUNG_OBJECTS: Final = 20_000


def collect_rarely() -> None:
    """Call once when the process is set up: what exists now is never looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 20)
