"""Texts of strangers in the log: one event is one line, and says what it says."""

from __future__ import annotations

import io
import json
import logging

import pytest

from livestudio.common.log import escape, logging_settings

HOSTILE = (
    "a\nb", "a\r\nERROR forged", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "a\x08\x08b", "\x9b2J",
    "\u202eetalf\u202c", "\u2066x\u2069", "a\u2028b\u2029c", "a\x00b", "\u200f", "a\tb", "\x85",
)  # fmt: skip


@pytest.fixture(params=[True, False], ids=["json", "plain"])
def lines(request: pytest.FixtureRequest) -> tuple[logging.Logger, io.StringIO]:
    """A logger and what it writes, as settings set it up."""
    settings = logging_settings(as_json=request.param)["formatters"]["structured"]
    factory = settings["()"]
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(factory(**{name: v for name, v in settings.items() if name != "()"}))
    logger = logging.Logger("strangers")
    logger.addHandler(handler)
    return logger, written


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_a_stranger_stays_in_its_line(
    lines: tuple[logging.Logger, io.StringIO], text: str
) -> None:
    logger, written = lines
    logger.warning("refused %s", text)

    line = written.getvalue()
    assert line.count("\n") == 1
    assert line.endswith("\n")
    assert not [character for character in line[:-1] if not character.isprintable()]


def test_traceback_keeps_its_lines_and_loses_what_is_unseen(
    lines: tuple[logging.Logger, io.StringIO],
) -> None:
    logger, written = lines
    try:
        raise ValueError("\x1b[2J\u202efdp")
    except ValueError:
        logger.exception("failed")

    text = written.getvalue()
    assert "Traceback" in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_what_was_written_can_be_told() -> None:
    assert escape("a\nb\u202e 中文 é") == "a\\u000ab\\u202e 中文 é"
    assert json.loads(json.dumps(escape("\x1b"))) == "\\u001b"
