"""WebRTC signalling between a viewer and the runner: request, answer, 5 s; no row, no replay.

Groups: `runner.<broadcast>` takes `runner.signal`; `viewer.<broadcast>.<viewer>` gets
`viewer.signal`: a runner reaches the viewers of its own broadcast, whatever it says.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from typing import Any, Final
from uuid import UUID

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

from inference.protocol import SIGNAL_DEADLINE_SECONDS, Json, Signal, decode, encode
from livestudio.common.errors import DomainError, InvalidInputError, UnavailableError
from streams.errors import NotLiveError, RunnerUnreachableError, ViewerLimitError
from streams.poke import runner_group


class CodecUnsupportedError(DomainError):
    """The viewer offers no codec that is sent."""

    code = "codec_unsupported"
    status = 406
    message = "This viewer does not take H.264 video, the only kind that is sent."


class SignallingFailedError(UnavailableError):
    """The runner could not set up the connection."""

    code = "signalling_failed"
    message = "The connection to this viewer could not be set up."


_NOT_LIVE_RETRY_SECONDS: Final = 2
# What a group of the channel layer may be called, with room for the rest of its name.
_VIEWER: Final = re.compile(r"[A-Za-z0-9_-]{1,48}")
_CODEC_CODES: Final = frozenset({"no_h264", "codec_unsupported", "not_acceptable"})


def viewer_group(broadcast_id: UUID | str, viewer: str) -> str:
    """The group that answers to this viewer of a broadcast go to. Raises InvalidInputError."""
    if not _VIEWER.fullmatch(viewer):
        raise InvalidInputError("This is not the id of a viewer.")
    return f"viewer.{broadcast_id}.{viewer}"


def new_viewer() -> str:
    """A viewer's id: hard to guess, since it is all that PATCH and DELETE need."""
    return secrets.token_hex(16)


async def request(
    broadcast_id: UUID | str,
    viewer: str,
    kind: str,
    data: Json,
    *,
    timeout_seconds: float = SIGNAL_DEADLINE_SECONDS,
) -> Signal:
    """Ask the runner and wait for the answer with the same id.

    Raises RunnerUnreachableError (503), or what the runner refuses with: ViewerLimitError (503),
    NotLiveError (409), CodecUnsupportedError (406), InvalidInputError (400),
    SignallingFailedError (503).
    """
    layer: Any = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(viewer_group(broadcast_id, viewer), channel)
    signal = Signal(viewer, secrets.token_hex(8), kind, data)
    try:
        async with asyncio.timeout(timeout_seconds):
            await send_to_runner(broadcast_id, signal)
            answer = await _receive(layer, channel, signal.id)
    except TimeoutError as error:
        if kind == "offer":
            # Should the runner still accept it, nobody would be there to leave again.
            await tell(broadcast_id, viewer, "bye", {})
        raise RunnerUnreachableError(retry_after_seconds=2) from error
    finally:
        await layer.group_discard(viewer_group(broadcast_id, viewer), channel)
        await _give_back(layer, channel)
    raise_refusal(answer)
    return answer


def request_sync(
    broadcast_id: UUID | str,
    viewer: str,
    kind: str,
    data: Json,
    *,
    timeout_seconds: float = SIGNAL_DEADLINE_SECONDS,
) -> Signal:
    """`request` for a view in a request thread."""
    return async_to_sync(request)(broadcast_id, viewer, kind, data, timeout_seconds=timeout_seconds)


async def tell(broadcast_id: UUID | str, viewer: str, kind: str, data: Json) -> None:
    """Tell the runner something that has no answer: a candidate, bye."""
    await send_to_runner(broadcast_id, Signal(viewer, secrets.token_hex(8), kind, data))


def tell_sync(broadcast_id: UUID | str, viewer: str, kind: str, data: Json) -> None:
    """`tell` for a view in a request thread."""
    async_to_sync(tell)(broadcast_id, viewer, kind, data)


async def send_to_runner(broadcast_id: UUID | str, signal: Signal) -> None:
    """Hand a signal to whichever process holds the runner's link."""
    layer: Any = get_channel_layer()
    message = {"type": "runner.signal", "signal": encode(signal)}
    await layer.group_send(runner_group(broadcast_id), message)


async def send_to_viewer(broadcast_id: UUID | str, signal: Signal) -> None:
    """Hand a runner's signal to whoever speaks for a viewer of its broadcast.

    Raises InvalidInputError.
    """
    layer: Any = get_channel_layer()
    message = {"type": "viewer.signal", "signal": encode(signal)}
    await layer.group_send(viewer_group(broadcast_id, signal.viewer), message)


def raise_refusal(signal: Signal) -> None:
    """Raises the error that a signal of kind `error` stands for."""
    if signal.kind != "error":
        return
    code, message = str(signal.data.get("code", "")), signal.data.get("message")
    retry = signal.data.get("retry_after_seconds")
    if code == "viewer_limit":
        raise ViewerLimitError(message, retry_after_seconds=int(retry or 10))
    if code == "not_live":
        raise NotLiveError(message, retry_after_seconds=int(retry or _NOT_LIVE_RETRY_SECONDS))
    if code in _CODEC_CODES:
        raise CodecUnsupportedError(message)
    if code == "bad_offer":
        raise InvalidInputError(message)
    raise SignallingFailedError(message)


async def _give_back(layer: Any, channel: str) -> None:
    """A layer forgets a channel only when it is cut off while it waits for a message there."""

    async def wait_for_ever() -> None:
        while True:
            await layer.receive(channel)

    waiting = asyncio.create_task(wait_for_ever())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def _receive(layer: Any, channel: str, correlation: str) -> Signal:
    while True:
        message = await layer.receive(channel)
        signal = decode(Signal, message["signal"])
        # Candidates of the runner and late answers pass by here too.
        if signal.id == correlation:
            return signal
