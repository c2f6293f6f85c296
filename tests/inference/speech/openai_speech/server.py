"""A local server with OpenAI's speech interface, and the ways such servers fail."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiohttp import web

from inference.engines.base import Samples, SpeechRequest
from inference.engines.speech.espeak.engine import create_engine
from inference.engines.speech.remote.mp3 import encode_mp3

KEY = "sk-local-5f2d81"
RATE_HZ = 22_050
TOKENS = 115
# Bodies of a refusal that are JSON by the letter.
BROKEN_ERRORS = {"half_a_character": rb'{"detail": "voice \ud800 is bad"}', "deep": b"[" * 8_000}


def done_event(usage: str) -> str:
    """What ends a sentence. usage: JSON, also such as only a broken server writes."""
    return f'{{"type": "speech.audio.done", "usage": {usage}}}'


@dataclass
class Server:
    """behaviour: see `_behave`. wav_size: what the WAV header claims, None = the truth.

    sends_events: also to whom did not ask for them. done: the last event of a sentence, as it is
    written; the usual one tells its tokens.
    """

    behaviour: str = "speak"
    wav_size: int | None = None
    rate_hz: int = RATE_HZ
    channels: int = 1
    content_type: str = ""
    sends_events: bool = False
    done: str = done_event(
        f'{{"input_tokens": 14, "output_tokens": 101, "total_tokens": {TOKENS}}}'
    )
    base_url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    gone: threading.Event = field(default_factory=threading.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        self.keys.append(request.headers.get("Authorization", ""))
        early = await self._behave(request)
        if early is not None:
            return early
        data = self._encode(body["response_format"], sound_of(body["input"]))
        if self.sends_events or body.get("stream_format") == "sse":
            return await self._send_events(request, data)
        return await self._send_raw(request, data, body["response_format"])

    async def _behave(self, request: web.Request) -> web.StreamResponse | None:
        """The answers that hold no sound."""
        if self.behaviour.isdigit():
            said = {"message": f"Wrong: {KEY} is no good", "type": "x", "param": None, "code": 1}
            return web.json_response({"error": said}, status=int(self.behaviour))
        if self.behaviour in BROKEN_ERRORS:
            body = BROKEN_ERRORS[self.behaviour]
            return web.Response(body=body, status=400, content_type="application/json")
        if self.behaviour == "error_in_200":
            return web.json_response({"detail": "model not loaded"})
        if self.behaviour == "page":
            return web.Response(text="<html>Sign in</html>", content_type="text/html")
        if self.behaviour == "elsewhere":
            raise web.HTTPFound("http://169.254.169.254/latest")
        if self.behaviour == "empty":
            return web.Response(body=b"", content_type="audio/wav")
        if self.behaviour == "slow":
            await self._stall(request)
        return None

    async def _flood(self, request: web.Request, response: web.StreamResponse, data: bytes) -> None:
        with suppress(ConnectionError):
            await response.write(data[:44])
            while request.transport is not None and not request.transport.is_closing():
                await response.write(data[44:] * 20)
        self.gone.set()

    async def _stall(self, request: web.Request) -> None:
        while request.transport is not None and not request.transport.is_closing():
            await asyncio.sleep(0.02)
        self.gone.set()
        raise web.HTTPServiceUnavailable

    def _encode(self, response_format: str, samples: Samples) -> bytes:
        if self.behaviour == "silent":
            samples = np.zeros_like(samples)
        if response_format == "mp3":
            return encode_mp3(samples[: len(samples)], 22_050)
        interleaved = np.repeat(samples, self.channels).astype("<i2").tobytes()
        if response_format == "pcm":
            return interleaved
        return wav_header(len(interleaved), self) + interleaved

    async def _send_raw(
        self, request: web.Request, data: bytes, response_format: str
    ) -> web.StreamResponse:
        kind = self.content_type or {"wav": "audio/wav", "mp3": "audio/mpeg"}.get(
            response_format, "application/octet-stream"
        )
        response = web.StreamResponse(headers={"Content-Type": kind})
        await response.prepare(request)
        if self.behaviour == "endless":
            await self._flood(request, response, data)
        third = len(data) // 3
        end = {"cut": third | 1, "hang_up": third, "short": third // 4 * 2}
        for start in range(0, end.get(self.behaviour, len(data)), 1999):
            await response.write(data[start : min(start + 1999, end.get(self.behaviour, 1 << 30))])
            if self.behaviour == "stall" and start > third:
                await self._stall(request)
        if self.behaviour == "hang_up":
            assert request.transport is not None
            request.transport.close()  # without the last chunk: the body is not whole
        return response

    async def _send_events(self, request: web.Request, data: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b": keep-alive\r\n\r\n")
        for start in range(0, len(data), 3001):
            part = base64.b64encode(data[start : start + 3001]).decode()
            event = {"type": "speech.audio.delta", "audio": part}
            await response.write(f"event: x\r\ndata: {json.dumps(event)}\r\n\r\n".encode())
            if self.behaviour == "error_event" and start:
                await response.write(b'data: {"error": {"message": "out of memory"}}\n\n')
                return response
            if self.behaviour == "bad_event" and start:
                await response.write(b'data: {"type": "speech.audio.delta", "audio": "%%"}\n\n')
            if self.behaviour == "deep_event" and start:
                await response.write(b"data: " + b"[" * 100_000 + b"\n\n")
            if self.behaviour == "no_done" and start:
                return response
            if self.behaviour == "stall" and start > len(data) // 3:
                await self._stall(request)
        await response.write(f"data: {self.done}\n\n".encode())
        return response


def wav_header(size: int, server: Server) -> bytes:
    told = size if server.wav_size is None else server.wav_size
    frame = 2 * server.channels
    form = struct.pack("<HHIIHH", 1, server.channels, server.rate_hz, 0, frame, 16)
    note = b"LIST" + struct.pack("<I", 3) + b"abc\0"  # an odd chunk, padded
    riff = b"RIFF" + struct.pack("<I", told) + b"WAVE"
    return riff + b"fmt " + struct.pack("<I", 16) + form + note + b"data" + struct.pack("<I", told)


def sound_of(text: str) -> Samples:
    """(n,) int16 at 22.05 kHz with silence around it."""
    language = "zh-CN" if re.search("[\u4e00-\u9fff]", text) else "en-US"
    chunks = create_engine().synthesize(SpeechRequest(text, language, {"gender": "male"}))
    silence = np.zeros(RATE_HZ // 5, np.int16)
    return np.concatenate([silence, *(chunk.samples for chunk in chunks), silence])


@contextmanager
def serve(server: Server) -> Iterator[Server]:
    """Run it on a free port, on a thread of its own."""
    loop = asyncio.new_event_loop()
    application = web.Application()
    application.router.add_post("/v1/audio/speech", server.answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)

    async def start() -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        server.base_url = f"http://{host}:{port}/v1"

    loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()
