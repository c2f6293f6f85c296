"""The websockets' table: what each side may say, and to whom it must do nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rest_framework import serializers

from inference.protocol import Json
from streams.verbs import VERBS
from tests.permissions.world import World

Args = Callable[[World], Json]

# The arguments of each console command, made from the world whose rows they name.
COMMANDS: Final[dict[str, Args]] = {
    "say": lambda world: {"text": "好。"},
    "interrupt": lambda world: {},
    "pause": lambda world: {},
    "resume": lambda world: {},
    "skip": lambda world: {},
    "take": lambda world: {"cue": world.broadcast.snapshot["cues"][0]["id"]},
    "expression": lambda world: {"name": "happy"},
    "gesture": lambda world: {"name": "wave"},
    "clip": lambda world: {"clip": str(world.clip.pk)},
    "record": lambda world: {"on": True},
    "output_add": lambda world: {"output": str(world.spare.pk)},
    "output_start": lambda world: {"id": str(world.row.pk)},
    "output_stop": lambda world: {"id": str(world.row.pk)},
    "output_replace_key": lambda world: {"id": str(world.row.pk), "stream_key": "a-new-key-1"},
    "stop": lambda world: {},
}
# Those that name a row, which may be another organization's.
NAMES_A_ROW: Final = tuple(
    name
    for name, verb in VERBS.items()
    if any(isinstance(item, serializers.UUIDField) for item in verb.body().fields.values())
)
# What a viewer's page may say, whoever is in front of it.
WATCH: Final[dict[str, Json]] = {
    "offer": {"sdp": "v=0\r\n"},
    "candidate": {"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host", "sdpMid": "0"},
    "bye": {},
}
AT: Final = "2026-11-20T12:00:00.000Z"
EVENT: Final[Json] = {"sequence": 1, "kind": "ended", "at": AT, "data": {"state": "failed"}}
# What a runner may say after its hello; a command's answer is made for a command of the world.
RUNNER: Final[dict[str, Json]] = {
    "events": {"events": [EVENT]},
    "heartbeat": {"sent_at_ms": 1, "metrics": {"fps": 1}, "workers": []},
    "metrics": {"metrics": {"fps": 1}},
    "live": {"kind": "caption", "data": {"utterance": "u", "text": "Owned."}},
    "thumbnail": {"jpeg": "/9j/AAAA"},
    "result": {"ok": True, "data": {}},
    "signal": {"viewer": "0" * 32, "id": "1", "kind": "answer", "data": {"sdp": "x"}},
}
# What only the web side says; from a runner it is nothing.
WEB_ONLY: Final = ("welcome", "acknowledge", "heartbeat_acknowledged", "watch_thumbnail", "command")
