"""Logs never carry secrets."""

from __future__ import annotations

import io
import json
import logging
import logging.config
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as site

from livestudio.common.log import (
    REDACTED,
    configure,
    get_logger,
    logging_settings,
    redact,
    redact_text,
)

CANARY = "CANARYkey0123456789"


@pytest.fixture
def lines() -> Iterator[Any]:
    stream = io.StringIO()
    configuration = logging_settings(as_json=True)
    configuration["handlers"]["stderr"]["stream"] = stream
    configure(configuration)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    configure(site.LOGGING)


@pytest.mark.parametrize(
    "text",
    [
        f"rtmp://live.example.org/app/{CANARY}",
        f"Not Found: /account/invitation/{CANARY}/",
        f"key ls_0123456789ab_{CANARY} used",
        f"rtmps://live.example.org:443/app/room/{CANARY}?sign={CANARY}",
        f"https://user:{CANARY}@example.org/",
        f"Authorization: Bearer {CANARY}",
        f"api-key {CANARY}",
        f"livestudio.v1, ticket.{CANARY}",
        f"/path?streamkey={CANARY}&x=1",
        f"GET /?a=1&token={CANARY} HTTP/1.1",
        f"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\na=ice-pwd:{CANARY}",
        f"got 'v=0\\r\\no=- 1 {CANARY}'",
        f"eyJhbGciOi.{CANARY}.{CANARY}",
        f"GET /push?to=rtmp%3A%2F%2Flive.example.org%2Fapp%2F{CANARY}",
        f"next=%2Fa%3Ftoken%3D{CANARY}",
        f"next=%252Fa%253Fstreamkey%253D{CANARY}",
        f"username=alice&password={CANARY}&next=/",
        f'body {{"username": "alice", "password": "{CANARY}"}}',
        f"{{'stream_key': '{CANARY}', 'name': 'A'}}",
        f"headers [(b'authorization', b'Bearer {CANARY}')]",
        f"Authorization: Basic {CANARY}",
        f"Authorization:\n  Bearer {CANARY}",
        f"sent a=ice-pwd:{CANARY}",
        f"a=candidate:1 1 udp 1 {CANARY} 9 typ host",
        f"Cookie: livestudio_refresh={CANARY}",
        f"v=0\\\\r\\\\no=- 1 {CANARY}",
    ],
)
def test_text_loses_its_secret_and_keeps_the_rest(text: str) -> None:
    redacted = redact_text(text)

    assert CANARY not in redacted
    assert REDACTED in redacted


@pytest.mark.parametrize(
    "text",
    [
        "rtmp://live.example.org/app",
        "broadcast started",
        "keyframe every 2 s",
        "/a?x=1",
        "100 % done",
        "key_hint: …6789",
        "the password was wrong",
        "Basic checks passed",
        "at 50%25 of it",
    ],
)
def test_harmless_text_stays(text: str) -> None:
    assert redact_text(text) == text


def test_fields_are_redacted_by_name_at_any_depth() -> None:
    value = {
        "stream_key": CANARY,
        "nested": [{"Authorization": CANARY, "cookie": CANARY, "sdp": CANARY}],
        "access": CANARY,
        "key_hint": "…6789",
        "empty_password": "",
    }

    redacted = redact(value)

    assert CANARY not in str(redacted)
    assert redacted["key_hint"] == "…6789"
    assert redacted["empty_password"] == ""
    assert value["stream_key"] == CANARY


@pytest.mark.parametrize(
    "value",
    [
        [(b"authorization", CANARY.encode()), (b"host", b"studio")],
        ["Cookie", CANARY],
        {"headers": {b"Authorization": CANARY.encode()}},
        {"body": f"password={CANARY}".encode()},
        {"error": ValueError(f"rtmp://h/app/{CANARY}")},
        {"stream-key": CANARY},
        {"url": ["rtmp://h/app/", f"rtmp://h/app/{CANARY}"]},
    ],
)
def test_headers_bodies_and_exceptions_are_redacted_as_values(value: Any) -> None:
    assert CANARY not in str(redact(value))


def test_secret_that_comes_in_parts_is_redacted_as_a_whole(lines: Any) -> None:
    log = logging.getLogger("some.library")
    log.warning("push to %s/%s", "rtmp://h/app", CANARY)
    log.warning("%s: %s", "Authorization", f"Bearer {CANARY}")
    log.warning("%(name)s", {"name": f"ticket.{CANARY}"})
    get_logger("tests.log").warning("refused", request={"form": [("password", CANARY)]})

    assert CANARY not in json.dumps(lines())
    assert len(lines()) == 4


def test_nothing_is_added_behind_the_redaction() -> None:
    processors = logging_settings(as_json=True)["formatters"]["structured"]["processors"]

    assert [processor.__name__ for processor in processors[-2:-1]] == ["_redact_event"]


def test_our_lines_are_json_with_fields_and_without_secrets(lines: Any) -> None:
    get_logger("tests.log").info(
        "output opened", output_id="7", stream_key=CANARY, url=f"rtmp://h/a/{CANARY}"
    )

    (line,) = lines()
    assert line["event"] == "output opened"
    assert line["level"] == "info"
    assert line["output_id"] == "7"
    assert line["timestamp"].endswith("Z")
    assert CANARY not in json.dumps(line)


def test_lines_and_tracebacks_of_libraries_are_redacted_too(lines: Any) -> None:
    log = logging.getLogger("some.library")
    try:
        raise ValueError(f"cannot open rtmp://h/app/{CANARY}")
    except ValueError:
        log.exception("push to rtmp://h/app/%s failed", CANARY)

    (line,) = lines()
    assert "ValueError" in line["exception"]
    assert CANARY not in json.dumps(line)
