"""One request to a speech server: `POST {base_url}/audio/speech`, its sound as it streams.

Source: the public API reference of OpenAI and what compatible servers make of it.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from yarl import URL

from inference import egress_http
from inference.egress import Destination, EgressError
from inference.engines.base import EngineError, Json
from inference.spent_tokens import believed_tokens

_ERROR_MAX_BYTES: Final = 8_192
_SAID_MAX_CHARACTERS: Final = 200
_EVENT_MAX_BYTES: Final = 4 * 1024 * 1024
_BLOCK_BYTES: Final = 8_192
_RATE_IN_TYPE: Final = re.compile(r"rate\s*=\s*\"?(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Call:
    """What to ask and where. allow: addresses besides public ones. api_key is never shown."""

    base_url: str
    api_key: str
    body: Json
    allow: tuple[str, ...]

    @property
    def url(self) -> str:
        return f"{self.base_url.rstrip('/')}/audio/speech"


@dataclass(frozen=True, slots=True)
class Sound:
    """Some bytes of the sound. told_rate_hz: what the server says it is, 0 when it does not.

    tokens: what the server says that the sentence has cost; it tells that once, at its end.
    """

    data: bytes
    told_rate_hz: int = 0
    tokens: int = 0


async def request_speech(call: Call) -> AsyncGenerator[Sound, None]:
    """The bytes of the answer. Raises EngineError, aiohttp.ClientError, OSError."""
    destination, url = await _check(call)
    headers = {"Authorization": f"Bearer {call.api_key}"} if call.api_key else {}
    async with (
        egress_http.open_session(destination) as session,
        session.post(url, json=call.body, headers=headers, allow_redirects=False) as answer,
    ):
        if answer.status != 200:
            raise await _refusal(call, answer)
        kind = answer.headers.get("Content-Type", "").lower()
        if kind.startswith("text/event-stream"):
            async for sound in _read_events(call, answer):
                yield sound
            return
        if kind.startswith(("application/json", "text/")):
            raise _failed(call, await _said(answer), "voice_server_failed")
        told = _RATE_IN_TYPE.search(kind)
        async for data in answer.content.iter_chunked(_BLOCK_BYTES):
            yield Sound(data, int(told[1]) if told else 0)


async def _check(call: Call) -> tuple[Destination, URL]:
    try:
        destination = await egress_http.check(call.url, allow=call.allow)
        return destination, egress_http.read_as_checked(call.url, destination)
    except EgressError as error:
        message = f"The voice server cannot be used: {error}"
        raise EngineError("voice_unreachable", message) from error


async def _read_events(call: Call, answer: aiohttp.ClientResponse) -> AsyncIterator[Sound]:
    """The sound of server-sent events, up to `speech.audio.done`. Raises EngineError."""
    async for event in _events(answer):
        kind = event.get("type")
        if "error" in event or kind == "error":
            raise _failed(call, _message_of(event), "voice_server_failed")
        if kind == "speech.audio.done":
            yield Sound(b"", tokens=_tokens(event.get("usage")))
            return
        if kind == "speech.audio.delta":
            yield Sound(_decoded(event))
    raise EngineError("voice_cut", "The voice server broke off before the end of the sentence.")


async def _events(answer: aiohttp.ClientResponse) -> AsyncIterator[Json]:
    """The JSON objects of `data:` lines; comments and other fields are skipped."""
    waiting = b""
    async for block in answer.content.iter_any():
        waiting += block
        if len(waiting) > _EVENT_MAX_BYTES:
            raise EngineError("voice_sound_broken", "The voice server sent an endless event.")
        *lines, waiting = waiting.split(b"\n")
        for line in lines:
            event = _parse(line)
            if event is not None:
                yield event
    last = _parse(waiting)
    if last is not None:
        yield last


def _parse(line: bytes) -> Json | None:
    name, _, value = line.strip().partition(b":")
    value = value.strip()
    if name != b"data" or not value or value == b"[DONE]":
        return None
    try:
        # Python refuses whole numbers of thousands of digits, and a sentence must not fail by one.
        event = json.loads(value, parse_int=float)
    except (ValueError, RecursionError) as error:
        message = "The voice server sent an event that is not JSON."
        raise EngineError("voice_sound_broken", message) from error
    return event if isinstance(event, dict) else None


def _decoded(event: Json) -> bytes:
    try:
        return base64.b64decode(event["audio"], validate=True)
    except (KeyError, TypeError, binascii.Error) as error:
        message = "The voice server sent an event without sound."
        raise EngineError("voice_sound_broken", message) from error


def _tokens(usage: Any) -> int:
    """What `usage` says was spent: all in all, else what went in and what came out."""
    if not isinstance(usage, dict):
        return 0
    parts = sum(believed_tokens(usage.get(name)) for name in ("input_tokens", "output_tokens"))
    return believed_tokens(usage.get("total_tokens")) or believed_tokens(parts)


async def _refusal(call: Call, answer: aiohttp.ClientResponse) -> EngineError:
    said = await _said(answer)
    status = answer.status
    if status in (401, 403):
        return _failed(call, said, "voice_key_refused", f"refuses the API key ({status})")
    if status == 404:
        return _failed(call, said, "voice_not_found", "does not know this address or model (404)")
    if status == 429:
        return _failed(call, said, "voice_busy", "has had too many requests or no credit (429)")
    if status < 400:
        return _failed(call, "", "voice_refused", f"sends us elsewhere ({status}); correct its URL")
    if status < 500:
        return _failed(call, said, "voice_refused", f"refuses the request ({status})")
    return _failed(call, said, "voice_server_failed", f"failed ({status})")


def _failed(call: Call, said: str, code: str, what: str = "reports an error") -> EngineError:
    """An error in a sentence. A server that repeats the key must not bring it to the screen."""
    if call.api_key:
        said = said.replace(call.api_key, "***")
    # JSON may name half of a character, which no message to others can hold.
    said = said.encode(errors="replace").decode()
    said = " ".join(said.split())[:_SAID_MAX_CHARACTERS]
    return EngineError(code, f"The voice server {what}" + (f": {said}" if said else "."))


async def _said(answer: aiohttp.ClientResponse) -> str:
    """What the body of an error says, as far as it is meant for people."""
    raw = await answer.content.read(_ERROR_MAX_BYTES)
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        is_plain = answer.headers.get("Content-Type", "").startswith("text/plain")
        return raw.decode(errors="replace") if is_plain else ""
    return _message_of(body)


def _message_of(body: Any) -> str:
    """OpenAI's {"error": {"message"}}, FastAPI's {"detail"}, and {"message"}."""
    for _ in range(3):
        if not isinstance(body, dict):
            break
        body = body.get("error") or body.get("message") or body.get("detail") or ""
    return body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
