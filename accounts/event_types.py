"""What an organization can be told of from outside: every type of event, and the fields it carries.

Version 1. Fields may be added; renaming, removing or giving one another meaning makes a new version
(an ADR). The table is what `emit` checks against, what the API offers and what the docs show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Json = dict[str, Any]

VERSION: Final = 1

_ID: Final[Json] = {"type": "string", "format": "uuid"}
_ID_OR_NULL: Final[Json] = {"type": ["string", "null"], "format": "uuid"}
_TEXT: Final[Json] = {"type": "string"}
_MOMENT_OR_NULL: Final[Json] = {"type": ["string", "null"], "format": "date-time"}
_COUNT: Final[Json] = {"type": "integer", "minimum": 0}
_NUMBER: Final[Json] = {"type": "number", "minimum": 0}

_SHOW: Final[Mapping[str, Json]] = {"show": _ID, "title": _TEXT}
_BROADCAST: Final[Mapping[str, Json]] = {
    "broadcast": _ID,
    **_SHOW,
    "state": _TEXT,
    "reason": _TEXT,
    "started_at": _MOMENT_OR_NULL,
    "first_frame_at": _MOMENT_OR_NULL,
    "ended_at": _MOMENT_OR_NULL,
}
_OUTPUT: Final[Mapping[str, Json]] = {
    "broadcast": _ID,
    "show": _ID,
    "broadcast_output": _ID,
    "output": _ID_OR_NULL,
    "name": _TEXT,
    "state": _TEXT,
    "reason": _TEXT,
}
_UTTERANCE: Final[Mapping[str, Json]] = {
    "broadcast": _ID,
    "show": _ID,
    "utterance": _ID,
    "source": {"enum": ["script", "operator", "answer"]},
    "text": _TEXT,
    "played_ms": _COUNT,
    "duration_ms": _COUNT,
}
_AVATAR: Final[Mapping[str, Json]] = {"avatar": _ID, "name": _TEXT, "state": _TEXT, "reason": _TEXT}
_QUOTA: Final[Mapping[str, Json]] = {
    "quota": _TEXT,
    "used": _NUMBER,
    "limit": _NUMBER,
    "resets_at": _MOMENT_OR_NULL,
    "broadcast": _ID_OR_NULL,
}


@dataclass(frozen=True, slots=True)
class EventType:
    """fields: JSON Schema of each field of `data`, all of them always there.

    is_opt_in: goes only to those who name it, because there are many of it.
    """

    about: str
    fields: Mapping[str, Json]
    is_opt_in: bool = False


EVENT_TYPES: Final[Mapping[str, EventType]] = {
    "show.created": EventType("A show was made.", _SHOW),
    "show.changed": EventType("A show, its rundown or its schedule was changed.", _SHOW),
    "show.deleted": EventType("A show was put away.", _SHOW),
    "broadcast.started": EventType("A broadcast was opened; it is not on air yet.", _BROADCAST),
    "broadcast.live": EventType(
        "The broadcast is on air, for the first time or again.", _BROADCAST
    ),
    "broadcast.recovering": EventType(
        "The presenter's process was lost or fell silent; it is being brought back.", _BROADCAST
    ),
    "broadcast.ended": EventType("The broadcast is over as it should be.", _BROADCAST),
    "broadcast.failed": EventType("The broadcast is over because it could not go on.", _BROADCAST),
    "utterance.said": EventType("A sentence was said to its end.", _UTTERANCE, is_opt_in=True),
    "output.live": EventType("A destination receives the broadcast.", _OUTPUT),
    "output.retrying": EventType("A destination was lost; it is being tried again.", _OUTPUT),
    "output.failed": EventType("A destination was given up; `reason` says why.", _OUTPUT),
    "avatar.ready": EventType("A presenter was built and can go on air.", _AVATAR),
    "avatar.failed": EventType("A presenter could not be built; `reason` says why.", _AVATAR),
    "quota.warning": EventType("Most of a quota is used up.", _QUOTA),
    "quota.reached": EventType("A quota is used up.", _QUOTA),
    "webhook.test": EventType(
        "Somebody pressed the test button of this webhook.", {"webhook": _ID}, is_opt_in=True
    ),
}


NAMES: Final = tuple(EVENT_TYPES)


def schema() -> Json:
    """JSON Schema of the body of every event, one definition for each type."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"LiveStudio webhook events, version {VERSION}",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in EVENT_TYPES],
        "$defs": {name: _body_schema(name, entry) for name, entry in EVENT_TYPES.items()},
    }


def _body_schema(name: str, entry: EventType) -> Json:
    fields = {"organization": _ID, **entry.fields}
    data = {"type": "object", "required": list(fields), "properties": fields}
    return {
        "description": entry.about,
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"const": name},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": data,
        },
    }
