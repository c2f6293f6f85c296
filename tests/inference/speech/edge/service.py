"""A local server that speaks the websocket protocol of Edge's read-aloud service, and its errors.

Written from what the client sends and accepts: text frames with `Path:` headers, binary frames
with a 2-byte header length, MP3 at 24 kHz and 48 kbit/s, times in 100 ns.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from typing import Any

import numpy as np
from aiohttp import WSMsgType, web

from inference.engines.base import SpeechRequest
from inference.engines.speech.espeak.engine import create_engine
from inference.engines.speech.remote.mp3 import encode_mp3
from inference.media.resample import Resampler

LEAD_SECONDS = 0.1  # of silence before the words, as the service has it
TAIL_SECONDS = 0.8
RATE_HZ = 24_000
TICKS = 10_000_000


@dataclass
class Service:
    """behaviour: speak | refuse | busy | mute | no_audio | cut | close | slow | stall | noise |
    strange."""

    behaviour: str = "speak"
    address: str = ""
    requests: list[dict[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    gone: threading.Event = field(default_factory=threading.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.headers.append(dict(request.headers) | dict(request.query))
        if self.behaviour == "refuse":
            raise web.HTTPForbidden
        if self.behaviour == "busy":
            raise web.HTTPTooManyRequests
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        config = await socket.receive_str()
        assert "Path:speech.config" in config
        text = self._read(config, await socket.receive_str())
        await self._speak(socket, text)
        return socket

    def _read(self, config: str, ssml: str) -> str:
        assert "Path:ssml" in ssml
        values = re.search(
            r"<voice name='(.+?)'>"
            r"<prosody pitch='(.+?)' rate='(.+?)' volume='(.+?)'>(.*)</prosody>",
            ssml,
            re.DOTALL,
        )
        assert values is not None
        names = ("voice", "pitch", "rate", "volume", "text")
        self.requests.append(dict(zip(names, values.groups(), strict=True)) | {"config": config})
        return unescape(values[5])

    async def _speak(self, socket: web.WebSocketResponse, text: str) -> None:
        await socket.send_str(_text("turn.start", {"context": {}}))
        await socket.send_str(_text("response", {"context": {}}))
        if self.behaviour == "slow":
            await self._stall(socket)
            return
        if self.behaviour == "strange":
            await socket.send_str(_text("advertisement", {}))
            return
        samples, words = speech_of(text)
        if self.behaviour == "mute":
            samples = np.zeros_like(samples)
        data = encode_mp3(samples, RATE_HZ)
        for word in words:
            await socket.send_str(_text("audio.metadata", {"Metadata": [word]}))
        await self._send_sound(socket, data)

    async def _send_sound(self, socket: web.WebSocketResponse, data: bytes) -> None:
        if self.behaviour == "noise":
            data = np.random.default_rng(1).bytes(len(data))
        sent = {"cut": len(data) // 2, "no_audio": 0, "close": len(data) // 2}
        for start in range(0, sent.get(self.behaviour, len(data)), 720):
            await socket.send_bytes(_sound(data[start : start + 720]))
            if self.behaviour == "stall" and start > len(data) // 3:
                await self._stall(socket)
                return
        if self.behaviour == "close":
            await socket.close()
            return
        await socket.send_bytes(_sound(b""))
        await socket.send_str(_text("turn.end", {}))

    async def _stall(self, socket: web.WebSocketResponse) -> None:
        """Say nothing until the client has gone."""
        async for message in socket:
            if message.type == WSMsgType.CLOSE:
                break
        self.gone.set()


def speech_of(text: str) -> tuple[Any, list[dict[str, Any]]]:
    """(n,) int16 at 24 kHz with silence around it, and the words as the service tells them."""
    engine = create_engine()
    language = "zh-CN" if re.search("[\u4e00-\u9fff]", text) else "en-US"
    chunks = list(engine.synthesize(SpeechRequest(text, language, {"gender": "male"})))
    resampler = Resampler(engine.sample_rate_hz)
    spoken = [resampler.push(chunk.samples) for chunk in chunks]
    fast = np.concatenate([*spoken, resampler.finish()])[::2]  # the voice has nothing over 11 kHz
    silence = [np.zeros(int(s * RATE_HZ), np.int16) for s in (LEAD_SECONDS, TAIL_SECONDS)]
    timings = [t for chunk in chunks for t in chunk.timings if t.kind == "word"]
    return np.concatenate((silence[0], fast, silence[1])), list(_words(text, timings, fast))


def _words(text: str, timings: list[Any], sound: Any) -> Iterator[dict[str, Any]]:
    ends = [t.at_seconds for t in timings[1:]] + [len(sound) / RATE_HZ]
    positions = [t.position for t in timings[1:]] + [len(text)]
    for timing, end, until in zip(timings, ends, positions, strict=True):
        written = re.sub(r"\W+$", "", text[timing.position : until])
        yield {
            "Type": "WordBoundary",
            "Data": {
                "Offset": round((LEAD_SECONDS + timing.at_seconds) * TICKS),
                "Duration": round((end - timing.at_seconds) * TICKS),
                "text": {"Text": written, "Length": len(written), "BoundaryType": "WordBoundary"},
            },
        }


def _text(path: str, body: dict[str, Any]) -> str:
    headers = "X-RequestId:0\r\nContent-Type:application/json; charset=utf-8\r\n"
    return f"{headers}Path:{path}\r\n\r\n{json.dumps(body, ensure_ascii=False)}"


def _sound(data: bytes) -> bytes:
    kind = "Content-Type:audio/mpeg\r\n" if data else ""
    head = f"X-RequestId:0\r\n{kind}X-StreamId:0\r\nPath:audio\r\n".encode()
    return len(head).to_bytes(2, "big") + head + data


@contextmanager
def serve(service: Service) -> Iterator[Service]:
    """Run it on a free port, on a thread of its own."""
    loop = asyncio.new_event_loop()
    application = web.Application()
    application.router.add_get("/edge/v1", service.answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)

    async def start() -> None:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        service.address = f"ws://{host}:{port}/edge/v1?TrustedClientToken=test"

    loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()
