"""What a voice may be: engines that exist, settings that they understand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from django.conf import settings as site

from inference.catalog import LANGUAGES, get_engine
from livestudio.common.egress import HTTP_SCHEMES, check_destination
from livestudio.common.errors import EgressRefusedError, ErrorDetail, InvalidInputError
from livestudio.common.rules import Choice, Number, Rules, Text, check_settings

# Engine -> what its settings may hold; every one of them has a default in the engine.
SETTINGS: Final[dict[str, Rules]] = {
    "espeak": {
        "gender": Choice(("female", "male")),
        "rate": Number(0.5, 2.0),
        "pitch": Number(-50, 50),
    },
    "edge": {
        "voice": Text(
            r"[a-z]{2,3}-[A-Z]{2,4}-[\w-]{1,60}Neural", "a name such as zh-CN-XiaoxiaoNeural"
        ),
        "gender": Choice(("female", "male")),
        "rate": Number(0.5, 2.0),
        "pitch": Number(-50, 50),
        "volume": Number(-50, 50),
    },
    "openai_speech": {
        "base_url": Text(
            r"\S{1,2000}", "the address of the server, such as https://example.com/v1"
        ),
        "model": Text(r"[^\x00-\x1f]{1,200}", "the name of a model, in at most 200 characters"),
        "voice": Text(r"[^\x00-\x1f]{1,200}", "the name of a voice, in at most 200 characters"),
        "response_format": Choice(("wav", "pcm", "mp3")),
        "sample_rate_hz": Number(8_000, 96_000),
        "speed": Number(0.25, 4.0),
        "instructions": Text(r"(?s:.{1,1000})", "instructions of at most 1000 characters"),
        "stream_format": Choice(("audio", "sse")),
    },
    "testtone": {
        "seconds": Number(0.1, 600),
        "mode": Choice(("tag", "beep")),
    },
}


# Engines that ask a server of the host's choice, with a key where it wants one.
SERVER_ENGINES: Final = frozenset({"openai_speech"})
API_KEY_MAX_CHARACTERS: Final = 400
_API_KEY: Final = re.compile(r"[\x21-\x7e]+")


def check_voice(*, engine: str, language: str, settings: Any) -> None:
    """Raises InvalidInputError naming every field that is wrong."""
    details = [*_check_engine(engine), *_check_language(language)]
    if not details:
        details = list(check_settings(SETTINGS.get(engine, {}), settings))
    if not details and engine in SERVER_ENGINES:
        details = list(_check_server(settings))
    if details:
        raise InvalidInputError(details=tuple(details))


def check_api_key(api_key: str, *, engine: str) -> None:
    """Raises InvalidInputError, never repeating the key. An empty one is fine."""
    if not api_key:
        return
    if engine not in SERVER_ENGINES:
        raise InvalidInputError.of("api_key", "This engine takes no API key.")
    if len(api_key) > API_KEY_MAX_CHARACTERS or not _API_KEY.fullmatch(api_key):
        message = "An API key has no blanks, line breaks or special letters. Copy it again."
        raise InvalidInputError.of("api_key", message)


def _check_server(settings: Any) -> Iterator[ErrorDetail]:
    url = settings.get("base_url")
    if not url:
        message = "Give the address of the server, such as https://example.com/v1."
        yield ErrorDetail("settings.base_url", "required", message)
        return
    try:
        check_destination(url, schemes=HTTP_SCHEMES)
    except EgressRefusedError as error:
        yield ErrorDetail("settings.base_url", error.code, error.message)


def _check_engine(engine: str) -> Iterator[ErrorDetail]:
    try:
        entry = get_engine("speech", engine)
    except LookupError:
        yield ErrorDetail("engine", "unknown", f"There is no voice engine named {engine!r}.")
        return
    if entry.test_only and not site.TEST_ENGINES:
        yield ErrorDetail("engine", "test_only", "This engine is for measurements only.")


def _check_language(language: str) -> Iterator[ErrorDetail]:
    if language not in LANGUAGES:
        yield ErrorDetail("language", "unknown", f"Use {' or '.join(LANGUAGES)}.")
