"""A new runner goes on where the dead one stood, whatever of it the web has heard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from inference.protocol import Cursor, Json, encode
from inference.runner.outbox import Outbox
from inference.runner.standing import standing
from tests.inference.runner.web_side import make_spec

STORED = Cursor("stored", 1, 0)
MOVED = Cursor("moved", 2, 1)
NEXT = Cursor("next", 3, 1)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox(tmp_path)
    yield box
    box.close()


def place(outbox: Outbox, folder: Path) -> tuple[Cursor, str]:
    return standing(outbox, replace(make_spec(folder, ()), cursor=STORED, script="paused"))


def utterance(state: str, **more: Json) -> Json:
    return {"id": "u", "source": "script", "text": "", "generation": 0, "state": state, **more}


def test_web_knows_best_when_it_has_stored_everything(outbox: Outbox, tmp_path: Path) -> None:
    sequence = outbox.append("cursor", encode(MOVED))
    outbox.acknowledge(sequence or 0)

    assert place(outbox, tmp_path) == (STORED, "paused")


def test_cursor_and_state_that_nobody_has_heard_come_first(outbox: Outbox, tmp_path: Path) -> None:
    outbox.append("cursor", encode(STORED))
    outbox.append("cursor", encode(MOVED))
    outbox.append("script.state", {"script": "held", "reason": ""})

    assert place(outbox, tmp_path) == (MOVED, "held")


def test_sentence_that_was_said_moves_the_cursor_by_itself(outbox: Outbox, tmp_path: Path) -> None:
    outbox.append("cursor", encode(MOVED))
    outbox.append("utterance", utterance("said", next=encode(NEXT)))

    assert place(outbox, tmp_path)[0] == NEXT


def test_sentence_that_began_does_not_move_it(outbox: Outbox, tmp_path: Path) -> None:
    outbox.append("utterance", utterance("said", next=encode(NEXT)))
    outbox.append("cursor", encode(MOVED))
    outbox.append("utterance", utterance("speaking"))

    assert place(outbox, tmp_path)[0] == MOVED


def test_cursor_that_cannot_be_read_is_left_out(outbox: Outbox, tmp_path: Path) -> None:
    outbox.append("cursor", {"cue": 7, "sentence": "x", "loop": 0})

    assert place(outbox, tmp_path)[0] == STORED
