"""Media work in child processes, as the web side asks for it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from inference import tool_client
from inference.tool_client import ToolError, run_tool


@pytest.mark.parametrize(
    ("tool", "request_body", "code"),
    [
        ("nothing", {}, "bad_request"),
        ("preview", {}, "bad_request"),
        ("preview", {"engine": "nothing", "text": "x", "language": "en-US"}, "bad_request"),
        ("preview", {"engine": "puppet", "text": "x", "language": "en-US"}, "bad_request"),
        ("preview", {"engine": "espeak", "text": "x", "language": "fr-FR"}, "bad_voice_setting"),
        ("preview", {"engine": "espeak", "text": "…", "language": "en-US"}, "nothing_to_say"),
    ],
)
def test_refusals_come_back_with_code_and_words(
    tool: str, request_body: dict[str, Any], code: str
) -> None:
    with pytest.raises(ToolError) as caught:
        run_tool(tool, request_body)

    assert caught.value.code == code
    assert caught.value.retryable is False
    assert len(caught.value.message) > 10


def test_encoders_are_really_opened() -> None:
    found = json.loads(run_tool("encoders", {}))

    # Whether there is a GPU that encodes is the machine's; that it was tried is ours.
    assert found.pop("h264_nvenc")
    assert found == {"libx264": "ok", "aac": "ok", "libopus": "ok"}


def test_child_that_takes_too_long_is_ended() -> None:
    with pytest.raises(ToolError) as caught:
        run_tool("encoders", {}, timeout_seconds=0.01)

    assert (caught.value.code, caught.value.retryable) == ("timed_out", True)


def test_child_that_breaks_down_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool_client.sys, "executable", "/bin/false")

    with pytest.raises(ToolError) as caught:
        run_tool("encoders", {})

    assert (caught.value.code, caught.value.retryable) == ("tool_failed", True)


def test_only_so_many_children_run_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool_client, "_WAIT_FOR_A_CHILD_SECONDS", 0.01)
    for _ in range(tool_client.CHILDREN_AT_A_TIME):
        tool_client._slots.acquire()
    try:
        with pytest.raises(ToolError) as caught:
            run_tool("encoders", {})
    finally:
        for _ in range(tool_client.CHILDREN_AT_A_TIME):
            tool_client._slots.release()

    assert caught.value.code == "busy"
    assert json.loads(run_tool("encoders", {}))["aac"] == "ok"
