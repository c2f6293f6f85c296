"""The exported schema is valid and describes what is really sent."""

from __future__ import annotations

import dataclasses
from typing import Any

import jsonschema
import pytest

from streams import socket_messages
from streams.models import Broadcast, BroadcastOutput, Utterance
from streams.socket_messages import (
    MessageError,
    OutputChanged,
    UtteranceChanged,
    export_schema,
    from_json,
    output_message,
    utterance_message,
)


def validator(part: str) -> Any:
    schema = export_schema()
    root = {**schema["$defs"][part], "$defs": schema["$defs"], "$schema": schema["$schema"]}
    jsonschema.Draft202012Validator.check_schema(root)
    return jsonschema.Draft202012Validator(root)


@pytest.mark.parametrize(
    "part",
    [
        "console_server", "console_client", "watch_server", "watch_client", "runner_link",
        "runner_commands",
    ],
)  # fmt: skip
def test_schema_of_every_part_is_valid(part: str) -> None:
    assert validator(part)


def test_schema_tells_right_from_wrong() -> None:
    console = validator("console_client")

    assert console.is_valid({"type": "command", "id": "1", "name": "skip", "args": {}})
    assert not console.is_valid({"type": "command", "name": "skip"})
    assert not console.is_valid({"type": "offer", "sdp": ""})


def test_rows_have_the_fields_of_the_schema() -> None:
    output = output_message(BroadcastOutput(broadcast=Broadcast(), name="A", kind="rtmp"))
    utterance = utterance_message(Utterance(broadcast=Broadcast(), source="script", text="a"))

    for row, cls in ((output, OutputChanged), (utterance, UtteranceChanged)):
        assert set(row) - {"type"} == {item.name for item in dataclasses.fields(cls)}
        assert validator("console_server").is_valid(row), row


@pytest.mark.parametrize("raw", [None, [], "text", {}, {"type": None}, {"type": "welcome"}])
def test_anything_else_is_refused_in_words(raw: Any) -> None:
    with pytest.raises(MessageError) as refusal:
        from_json(raw, socket_messages.CONSOLE_CLIENT)

    assert str(refusal.value)
