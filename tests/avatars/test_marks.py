"""The marks of a photo are the same in the admin, the studio and the builder."""

from __future__ import annotations

import re
from pathlib import Path

from avatars.marks import MARKS
from inference.engines.face.musetalk import marks as builder

STUDIO = Path(__file__).parents[2] / "frontend" / "src" / "components" / "presenters" / "marks.ts"


def test_marks_have_one_order_and_begin_at_the_same_places() -> None:
    found = re.findall(r"\['(\w+)', ([\d.]+), ([\d.]+)\]", STUDIO.read_text())

    assert [(name, (float(x), float(y))) for name, x, y in found] == [
        (name, at) for name, _, at in MARKS
    ]
    assert tuple(name for name, _, _ in found) == builder.MARKS
