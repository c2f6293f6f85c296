"""Runner events become rows: one handler per kind, run in the transaction that stores the event.

A handler may meet an event of a relaunched runner, in order but long after it happened; it changes
rows and returns what consoles are told. Which handler takes which kind: `livestudio/wiring.py`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.utils.dateparse import parse_datetime

from inference.protocol import Event, Json
from inference.services import note_live
from inference.spent_tokens import believed_tokens
from livestudio.common.log import get_logger
from streams.models import Broadcast, BroadcastOutput, BroadcastState, Recording, Utterance
from streams.models.broadcast import REASON_MAX_CHARACTERS, UtteranceState
from streams.services.lifecycle import finish_broadcast
from streams.services.quotas import Sentence, count_sentence
from streams.services.storage import note_recording
from streams.socket_messages import (
    cursor_message,
    event_message,
    output_message,
    state_message,
    utterance_message,
)
from streams.states import move
from streams.telling import TOLD_OUTPUT_STATES, tell_output, tell_said

Handler = Callable[[Broadcast, Event], list[Json]]

log = get_logger(__name__)

# Filled by livestudio.wiring when Django has loaded every app.
HANDLERS: Final[dict[str, Handler]] = {}
_UTTERANCE_NUMBERS: Final = (
    "sentence",
    "loop",
    "generation",
    "media_time_ms",
    "played_ms",
    "duration_ms",
)


def apply_event(broadcast: Broadcast, event: Event) -> list[Json]:
    """What the event changes, and the texts for consoles; the event itself first."""
    handler = HANDLERS.get(event.kind)
    return [event_message(event), *(handler(broadcast, event) if handler else [])]


def runner_started(broadcast: Broadcast, event: Event) -> list[Json]:
    """A new process took over: the workers of the one before are gone, its sentence was cut."""
    broadcast.utterances.filter(state=UtteranceState.SPEAKING).update(
        state=UtteranceState.INTERRUPTED, reason="the runner was replaced"
    )
    _update(broadcast, runner_pid=event.data["pid"], workers=[])
    return []


def broadcast_state(broadcast: Broadcast, event: Event) -> list[Json]:
    """live, stopping, ended or failed, as the runner sees it."""
    state, reason = str(event.data["state"]), str(event.data["reason"] or "")
    if state == BroadcastState.LIVE:
        note_live(broadcast.pk, broadcast.lease_epoch, happened_at(event))
    if state in ("ended", "failed"):
        is_failed = state == "failed"
        finish_broadcast(
            broadcast=broadcast, state="failed" if is_failed else "ended", reason=reason
        )
    elif state in BroadcastState.values:
        move(broadcast, state, reason, epoch=broadcast.lease_epoch)
    return [state_message(broadcast)]


def first_frame(broadcast: Broadcast, event: Event) -> list[Json]:
    """The first picture left; a relaunch does not move that moment."""
    if broadcast.first_frame_at is None:
        _update(broadcast, first_frame_at=happened_at(event))
    return []


def script_state(broadcast: Broadcast, event: Event) -> list[Json]:
    _update(broadcast, script=event.data["script"])
    return [state_message(broadcast)]


def cursor_moved(broadcast: Broadcast, event: Event) -> list[Json]:
    _move_cursor(broadcast, event.data)
    return [cursor_message(broadcast)]


def utterance_changed(broadcast: Broadcast, event: Event) -> list[Json]:
    """The newest state of an utterance; the runner tells each state once and in order."""
    data = event.data
    values: dict[str, Any] = {name: data[name] for name in ("source", "text", "state")}
    values |= {name: data[name] for name in _UTTERANCE_NUMBERS if data.get(name) is not None}
    values["cue"] = data.get("cue")
    if data.get("next"):
        _move_cursor(broadcast, data["next"])
    values["reason"] = str(data.get("reason") or "")[:REASON_MAX_CHARACTERS]
    if data["state"] == "speaking":
        values["started_at"] = happened_at(event)
    utterance, _ = Utterance.objects.update_or_create(
        id=_utterance_id(broadcast, str(data["id"])), broadcast=broadcast, defaults=values
    )
    if utterance.state == UtteranceState.SAID:
        tell_said(broadcast, utterance)
    return [utterance_message(utterance)]


def output_changed(broadcast: Broadcast, event: Event) -> list[Json]:
    data = event.data
    key = _uuid(data["id"])
    row = BroadcastOutput.objects.filter(broadcast=broadcast, pk=key).first() if key else None
    if row is None:
        log.warning("event of an unknown output", broadcast_id=str(broadcast.pk))
        return []
    is_news = row.state != data["state"] and data["state"] in TOLD_OUTPUT_STATES
    row.state, row.reason = data["state"], str(data["reason"] or "")[:REASON_MAX_CHARACTERS]
    numbers = ("bitrate_kbps", "dropped", "reconnects")
    for name in numbers:
        if data.get(name) is not None:
            setattr(row, name, data[name])
    # Not `desired` nor the key: an operator may be changing them at this moment.
    row.save(update_fields=["state", "reason", *numbers, "updated_at"])
    if is_news:
        tell_output(broadcast, row)
    return [output_message(row)]


def kept_data(event: Event) -> Json:
    """What the log of a broadcast keeps: its readers have no business with our folders."""
    if event.kind != "recording":
        return dict(event.data)
    return {**event.data, "path": _relative_path(str(event.data["path"]))}


def recording_changed(broadcast: Broadcast, event: Event) -> list[Json]:
    """A file was begun or closed. The path is kept relative, so that DATA_DIR may move."""
    data, at = event.data, happened_at(event)
    values: dict[str, Any] = {
        "path": _relative_path(str(data["path"])),
        "state": data["state"],
        "reason": str(data["reason"] or "")[:REASON_MAX_CHARACTERS],
    }
    if data.get("media_time_ms") is not None:
        values["media_time_ms"] = data["media_time_ms"]
    is_over = data["state"] != "recording"
    recording, _ = Recording.objects.update_or_create(
        broadcast=broadcast,
        runner_key=str(data["id"]),
        defaults={**values, "ended_at": at if is_over else None},
        create_defaults={**values, "started_at": at, "ended_at": at if is_over else None},
    )
    note_recording(recording)
    return []


def speech_made(broadcast: Broadcast, event: Event) -> list[Json]:
    """A voice has made a sentence: what it took counts. The event is stored once, so it does."""
    sentence = Sentence(
        engine=str(event.data["engine"]),
        characters=max(0, int(event.data["characters"])),
        tokens=believed_tokens(event.data.get("tokens")),  # a runner of the last release tells none
    )
    count_sentence(broadcast, sentence, happened_at(event))
    return []


def worker_changed(broadcast: Broadcast, event: Event) -> list[Json]:
    """started or died; a broadcast has at most one worker of a kind at a time."""
    kind, pid = event.data["kind"], event.data["pid"]
    others = [worker for worker in broadcast.workers if worker.get("kind") != kind]
    if event.data["state"] == "started":
        others.append({"kind": kind, "pid": pid})
    _update(broadcast, workers=others)
    return []


def happened_at(event: Event) -> datetime:
    """The moment the runner wrote the event."""
    at = parse_datetime(event.at)
    if at is None or at.tzinfo is None:
        raise ValueError(f"event {event.sequence} has no time: {event.at!r}")
    return at


def set_handlers(handlers: Mapping[str, Handler]) -> None:
    """Replace the table; called once by the wiring."""
    HANDLERS.clear()
    HANDLERS.update(handlers)


def _move_cursor(broadcast: Broadcast, data: Json) -> None:
    cursor = {name: data[name] for name in ("cue", "sentence", "loop")}
    if data.get("finished"):
        cursor["finished"] = True  # or a relaunch would begin again
    _update(broadcast, cursor=cursor)


def _update(broadcast: Broadcast, **values: Any) -> None:
    Broadcast.objects.filter(pk=broadcast.pk).update(**values)
    for name, value in values.items():
        setattr(broadcast, name, value)


def _utterance_id(broadcast: Broadcast, key: str) -> uuid.UUID:
    return _uuid(key) or uuid.uuid5(broadcast.pk, key)


def _uuid(text: Any) -> uuid.UUID | None:
    try:
        return uuid.UUID(str(text))
    except ValueError:
        return None


def _relative_path(path: str) -> str:
    folder = Path(settings.RECORDINGS_DIR)
    absolute = Path(path)
    return str(absolute.relative_to(folder)) if absolute.is_relative_to(folder) else path
