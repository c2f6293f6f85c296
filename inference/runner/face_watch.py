"""Finds a face worker that is ready and draws nothing."""

from __future__ import annotations

from typing import Final

# Looks are counted, one a second, not seconds: while the machine stood still nobody looked.
SILENT_LOOKS: Final = 5
# A new worker on a busy machine: one that was replaced too soon would only begin anew.
FIRST_PICTURE_LOOKS: Final = 30


class FaceWatch:
    """Looks at the count of pictures that workers have drawn."""

    def __init__(self) -> None:
        self._drawn = 0
        self._silent = 0
        self._has_drawn = False

    def hangs(self, drawn: int, *, is_ready: bool) -> bool:
        """Whether the worker is to be replaced; told once. drawn: by all workers so far."""
        if drawn != self._drawn or not is_ready:
            self._drawn, self._silent, self._has_drawn = drawn, 0, is_ready
            return False
        self._silent += 1
        if self._silent <= (SILENT_LOOKS if self._has_drawn else FIRST_PICTURE_LOOKS):
            return False
        self._silent, self._has_drawn = 0, False
        return True
