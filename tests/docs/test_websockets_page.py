"""What the page says of websockets is what the code sends, takes and closes with."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from inference.protocol import (
    CLOSE_BAD_TOKEN,
    CLOSE_FORBIDDEN,
    CLOSE_NOT_FOUND,
    CLOSE_STALE_RUNNER,
    EVENTS,
)
from streams.consumers.console import REPLAY_MAX_EVENTS
from streams.socket_messages import (
    CONSOLE_CLIENT,
    CONSOLE_SERVER,
    WATCH_CLIENT,
    WATCH_SERVER,
    export_schema,
)

DOCS = Path(__file__).resolve().parents[2] / "docs"
# Named as a whole: "all of an utterance", "all of an output".
ROWS = ("utterance", "output")
KEPT = DOCS / "websockets.schema.json"
AGAIN = (
    "write it anew: .venv/bin/python manage.py shell -c "
    '"import json; from streams.socket_messages import export_schema; '
    'print(json.dumps(export_schema(), indent=2))" > docs/websockets.schema.json'
)


@pytest.fixture(scope="module")
def page() -> str:
    text = (DOCS / "api.md").read_text(encoding="utf-8")
    return text.partition("## Websockets\n")[2].partition("\n## WHEP")[0]


def rows(part: str) -> dict[str, str]:
    """type → its row, of the tables in a part of the page."""
    return {m[1]: m[2] for m in re.finditer(r"^\| `(\w+)` \|(.*)\|$", part, re.MULTILINE)}


@pytest.mark.parametrize(
    ("heading", "kinds"),
    [
        ("### Console: what the server says", CONSOLE_SERVER),
        ("| the server says |", WATCH_SERVER),
        ("| you say |", WATCH_CLIENT),
    ],
)
def test_every_message_is_told_with_its_fields(
    page: str, heading: str, kinds: dict[str, type]
) -> None:
    part = page.partition(heading)[2].partition("\n### ")[0].partition("\n| you say")[0]
    told = rows(part)

    for name, cls in kinds.items():
        assert name in told, f"{heading} lacks {name}"
        fields = [item.name for item in dataclasses.fields(cls)]
        if name == "state" and kinds is WATCH_SERVER:
            fields = [field for field in fields if field not in ("script", "record")]
        missing = [field for field in fields if f"`{field}`" not in told[name]]
        assert name in ROWS or not missing, f"{name} lacks {missing}"


def test_what_a_console_says_is_shown(page: str) -> None:
    part = page.partition("### Console: what you say")[2].partition("### Watch")[0]
    shown = [json.loads(line) for line in part.splitlines() if line.startswith('{"type"')]

    assert {message["type"] for message in shown} == set(CONSOLE_CLIENT)
    for message in shown:
        fields = {item.name for item in dataclasses.fields(CONSOLE_CLIENT[message["type"]])}
        assert set(message) - {"type"} == fields
    assert f"At most {REPLAY_MAX_EVENTS:,} come at once" in part


def test_close_codes_and_kinds_of_events_are_those_of_the_code(page: str) -> None:
    codes = (CLOSE_BAD_TOKEN, CLOSE_FORBIDDEN, CLOSE_NOT_FOUND, CLOSE_STALE_RUNNER)
    kinds = page.partition("Kinds of `event`: ")[2].partition(". They")[0]

    assert {int(code) for code in re.findall(r"^\| (4\d{3}) ", page, re.MULTILINE)} == set(codes)
    assert set(re.findall(r"`([\w.]+)`", kinds)) == set(EVENTS)


def test_the_kept_schema_is_that_of_the_code() -> None:
    assert json.loads(KEPT.read_text(encoding="utf-8")) == export_schema(), AGAIN
