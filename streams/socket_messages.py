"""The texts on the console and watch websockets, version 1, and their exported JSON schema.

Rows have the same form here as over REST (`streams.messages`); `type` stands before their fields.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, Union

from inference.protocol import COMMANDS, MESSAGES, Event, Json, decode, encode
from streams.messages import VERSION, broadcast_output_json, utterance_json
from streams.models import Broadcast, BroadcastOutput, BroadcastState, Utterance
from streams.models.broadcast import (
    BroadcastOutputState,
    ScriptState,
    UtteranceSource,
    UtteranceState,
)

SUBPROTOCOL: Final = "livestudio.v1"
TICKET_PREFIX: Final = "ticket."

# --- from the server -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Welcome:
    """broadcast: the broadcast as in the REST answer. permissions: of this user here."""

    version: int
    broadcast: Json
    permissions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class State:
    """script and record (whether it is to be recorded) are told to consoles only."""

    state: Annotated[str, BroadcastState]
    reason: str
    script: Annotated[str, ScriptState] | None = None
    record: bool | None = None


@dataclass(frozen=True, slots=True)
class CursorMoved:
    cue: str | None
    sentence: int
    loop: int


@dataclass(frozen=True, slots=True)
class UtteranceChanged:
    id: str
    source: Annotated[str, UtteranceSource]
    cue: str | None
    sentence: int | None
    loop: int | None
    text: str
    generation: int
    state: Annotated[str, UtteranceState]
    reason: str
    started_at: str | None
    media_time_ms: int | None
    played_ms: int | None
    duration_ms: int | None


@dataclass(frozen=True, slots=True)
class Caption:
    utterance: str
    text: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Viseme:
    """items: [time in ms from start_ms, index of the viseme, weight 0..1]."""

    utterance: str
    start_ms: int
    items: tuple[tuple[float, int, float], ...]


@dataclass(frozen=True, slots=True)
class OutputChanged:
    id: str
    output: str | None
    name: str
    kind: str
    state: Annotated[str, BroadcastOutputState]
    reason: str
    bitrate_kbps: float | None
    dropped: int
    reconnects: int


@dataclass(frozen=True, slots=True)
class MetricsChanged:
    metrics: Json


@dataclass(frozen=True, slots=True)
class EventHappened:
    sequence: int
    kind: str
    at: str
    data: Json


@dataclass(frozen=True, slots=True)
class ErrorBody:
    code: str
    message: str
    details: tuple[Json, ...] = ()
    retry_after_seconds: int | None = None
    data: Json | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """The answer to the client's message with this id; empty when it had none."""

    id: str
    ok: bool
    error: ErrorBody | None = None
    data: Json | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    sdp: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """Both ways. sdpMid and sdpMLineIndex as the browser names them."""

    candidate: str
    sdpMid: str | None = None  # noqa: N815 - the browser's own name
    sdpMLineIndex: int | None = None  # noqa: N815 - the browser's own name


@dataclass(frozen=True, slots=True)
class Failure:
    """A step of watching failed: signalling, ice, dtls, decode, not_live, viewer_limit ..."""

    code: str
    message: str
    retry_after_seconds: int | None = None


# --- from the client -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Command:
    """name, args: a verb of the REST API and its body."""

    id: str
    name: str
    args: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Replay:
    after_sequence: int
    id: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    sdp: str


@dataclass(frozen=True, slots=True)
class Bye:
    pass


CONSOLE_SERVER: Final[dict[str, type]] = {
    "welcome": Welcome,
    "state": State,
    "cursor": CursorMoved,
    "utterance": UtteranceChanged,
    "caption": Caption,
    "output": OutputChanged,
    "metrics": MetricsChanged,
    "event": EventHappened,
    "result": Result,
}
CONSOLE_CLIENT: Final[dict[str, type]] = {"command": Command, "replay": Replay}
WATCH_SERVER: Final[dict[str, type]] = {
    "answer": Answer,
    "candidate": Candidate,
    "state": State,
    "caption": Caption,
    "viseme": Viseme,
    "error": Failure,
}
WATCH_CLIENT: Final[dict[str, type]] = {"offer": Offer, "candidate": Candidate, "bye": Bye}
_TYPE_OF: Final = {cls: name for name, cls in {**CONSOLE_SERVER, **WATCH_SERVER}.items()}


class MessageError(ValueError):
    """A client's text is not a message of this version; the text says what is wrong."""


def json_text(message: Json) -> str:
    """A message as it is written to a socket."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


def to_json(message: Any) -> Json:
    """The JSON form of a server message, `type` first."""
    return {"type": _TYPE_OF[type(message)], **encode(message)}


def from_json(raw: Any, kinds: dict[str, type]) -> Any:
    """The client message in parsed JSON. Raises MessageError."""
    if not isinstance(raw, dict):
        raise MessageError("A message is a JSON object.")
    cls = kinds.get(str(raw.get("type")))
    if cls is None:
        raise MessageError(f"`type` must be one of: {', '.join(kinds)}.")
    try:
        return decode(cls, {key: value for key, value in raw.items() if key != "type"})
    except ValueError as error:
        raise MessageError(_in_words(str(error))) from error


def _in_words(complaint: str) -> str:
    """What `decode` says to programmers, as whoever writes a client reads it."""
    field, _, rest = complaint.partition(": ")
    if rest == "missing":
        return f"`{field}` is missing."
    expected, _, _got = rest.removeprefix("expected ").partition(", got ")
    return f"`{field}` must be {_KINDS.get(expected, expected)}."


_KINDS: Final = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "dict": "an object",
}


def state_message(broadcast: Broadcast) -> Json:
    """The `state` text of a broadcast."""
    row = broadcast
    return to_json(State(row.state, row.reason, row.script, record=row.recording_wanted))


def cursor_message(broadcast: Broadcast) -> Json:
    """The `cursor` text."""
    return {"type": "cursor", **broadcast.cursor}


def utterance_message(row: Utterance) -> Json:
    """The `utterance` text."""
    return {"type": "utterance", **utterance_json(row)}


def output_message(row: BroadcastOutput) -> Json:
    """The `output` text."""
    return {"type": "output", **broadcast_output_json(row)}


def event_message(event: Event) -> Json:
    """The `event` text of an event as the runner sent it."""
    return to_json(EventHappened(event.sequence, event.kind, event.at, event.data))


# --- the schema ----------------------------------------------------------------------------------


def export_schema() -> Json:
    """JSON Schema (2020-12) of every message by socket and direction, and of runner commands."""
    sockets = {
        "console_server": CONSOLE_SERVER,
        "console_client": CONSOLE_CLIENT,
        "watch_server": WATCH_SERVER,
        "watch_client": WATCH_CLIENT,
        "runner_link": MESSAGES,
    }
    definitions: Json = {name: {"oneOf": _messages(kinds)} for name, kinds in sockets.items()}
    commands = {name: _object(cls) for name, cls in COMMANDS.items()}
    definitions["runner_commands"] = {"type": "object", "properties": commands}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "LiveStudio websockets",
        "version": VERSION,
        "$defs": definitions,
    }


def _messages(kinds: dict[str, type]) -> list[Json]:
    return [_object(cls, {"type": {"const": name}}) for name, cls in kinds.items()]


def _object(cls: type, first: Json | None = None) -> Json:
    hints = typing.get_type_hints(cls, include_extras=True)
    fields = dataclasses.fields(cls)
    required = [item.name for item in fields if _is_required(item)]
    return {
        "type": "object",
        "title": cls.__name__,
        "properties": {**(first or {}), **{i.name: _schema(hints[i.name]) for i in fields}},
        "required": [*(first or {}), *required],
    }


def _is_required(item: dataclasses.Field[Any]) -> bool:
    return item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING


def _schema(hint: Any) -> Json:
    """The schema of a type; `Annotated[str, Choices]` is one of these choices."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return {"type": "string", "enum": list(args[1].values)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_schema(option) for option in args]}
    if origin is Literal:
        return {"enum": list(args)}
    if origin is tuple and args[-1] is Ellipsis:
        return {"type": "array", "items": _schema(args[0])}
    if origin is tuple:
        return {"type": "array", "prefixItems": [_schema(arg) for arg in args]}
    if dataclasses.is_dataclass(hint):
        return _object(typing.cast(type, hint))
    return dict(_SCALARS[origin or hint])


_SCALARS: Final[dict[Any, Json]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    dict: {"type": "object"},
    type(None): {"type": "null"},
}
