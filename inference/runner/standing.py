"""Where a script goes on after the runner before it died."""

from __future__ import annotations

from inference.protocol import Cursor, Json, ProtocolError, RunnerSpec, ScriptState, decode
from inference.runner.outbox import Outbox


def standing(outbox: Outbox, spec: RunnerSpec) -> tuple[Cursor, ScriptState]:
    """Cursor and state: what a dead runner wrote and the web has not stored, else the spec's."""
    newest = outbox.newest()
    said, moved = newest.get("utterance"), newest.get("cursor")
    place: Json | None = None if moved is None else moved.data
    # It died between the end of a sentence and its next event: the first one tells both.
    if said is not None and (moved is None or said.sequence > moved.sequence):
        place = said.data.get("next") or place
    told = newest.get("script.state")
    state = spec.script if told is None else told.data["script"]
    if place is None:
        return spec.cursor, state
    try:
        return decode(Cursor, place), state
    except ProtocolError:
        return spec.cursor, state
