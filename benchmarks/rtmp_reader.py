"""An RTMP player that measures: attached before the stream exists, decoding as packets arrive.

The protocol is played by hand because FFmpeg's reader gives up where nobody publishes yet and
probes for seconds; the pictures and the sound are decoded by FFmpeg. Every time noted is the wall
clock after decoding, so what the reader itself costs is in the figures.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import av
import numpy as np

from inference.engines.face.testcard.decode import TestcardReading, decode_testcard
from inference.outputs.rtmp import amf0, chunks
from inference.outputs.rtmp.chunks import ChunkReader, Message, write_message

RATE_HZ: Final = 48_000
_HANDSHAKE_BYTES: Final = 1536
_STREAM: Final = 1
_BUFFER_MS: Final = 0
_PING: Final = 6
_PONG: Final = 7
_SET_BUFFER: Final = 3

Samples = np.ndarray[Any, np.dtype[np.float32]]
Gray = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True, slots=True)
class SeenPicture:
    """A decoded picture. pts_ms: of the stream. unix_ms: when it had been decoded."""

    pts_ms: int
    unix_ms: float
    card: TestcardReading | None


@dataclass(frozen=True, slots=True)
class HeardBlock:
    """Decoded sound, (n,) float32 mono in -1..1. unix_ms: when it had been decoded."""

    pts_ms: int
    unix_ms: float
    samples: Samples


@dataclass(slots=True)
class Recorded:
    """What the reader has decoded so far; lists only grow."""

    pictures: list[SeenPicture] = field(default_factory=list)
    blocks: list[HeardBlock] = field(default_factory=list)

    def sound(self) -> tuple[Samples, list[tuple[int, HeardBlock]]]:
        """(all samples in one, [(its first sample, block)]); a jump of pts is filled with silence.

        Blocks are laid end to end: the pts of RTMP are whole milliseconds.
        """
        parts: list[Samples] = []
        starts: list[tuple[int, HeardBlock]] = []
        position = 0
        for block in list(self.blocks):
            if starts:
                expected = (block.pts_ms - starts[0][1].pts_ms) * RATE_HZ // 1000
                if expected - position > RATE_HZ // 50:
                    parts.append(np.zeros(expected - position, np.float32))
                    position = expected
            starts.append((position, block))
            parts.append(block.samples)
            position += len(block.samples)
        return (np.concatenate(parts) if parts else np.zeros(0, np.float32)), starts


class RtmpReader:
    """Plays one stream on a thread of its own until closed.

    on_picture: called with each decoded picture's luma, (height, width), and its record.
    """

    def __init__(
        self,
        url: str,
        *,
        wants_cards: bool = True,
        on_picture: Callable[[Any, SeenPicture], None] | None = None,
    ) -> None:
        self.recorded = Recorded()
        self.error: Exception | None = None
        self._url = url
        self._wants_cards = wants_cards
        self._on_picture = on_picture
        self._chunks = ChunkReader()
        self._video: Any = None
        self._audio: Any = None
        self._received = self._acknowledged = 0
        self._window = 0
        self._closing = threading.Event()
        self._playing = threading.Event()
        self._socket = self._connect()
        self._thread = threading.Thread(target=self._run, name="rtmp-reader", daemon=True)
        self._thread.start()
        if not self._playing.wait(60):
            self.close()
            raise ConnectionError(f"the RTMP server did not answer to play: {self.error}")

    def __enter__(self) -> RtmpReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._closing.set()
        self._socket.close()
        self._thread.join(60)

    def wait_for_picture(self, seconds: float = 30.0) -> SeenPicture:
        """The first decoded picture. Raises TimeoutError."""
        until = time.monotonic() + seconds
        while not self.recorded.pictures:
            if time.monotonic() > until or self.error:
                raise TimeoutError(f"no picture at the RTMP reader within {seconds} s {self.error}")
            time.sleep(0.01)
        return self.recorded.pictures[0]

    # --- connection

    def _connect(self) -> socket.socket:
        parts = urlsplit(self._url)
        address = (parts.hostname or "", parts.port or 1935)
        connection = socket.create_connection(address, timeout=60)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(b"\x03" + struct.pack(">II", 0, 0) + os.urandom(_HANDSHAKE_BYTES - 8))
        answer = b""
        while len(answer) < 1 + 2 * _HANDSHAKE_BYTES:
            data = connection.recv(65536)
            if not data:
                raise ConnectionError("the RTMP server closed during the handshake")
            answer += data
            if len(answer) >= 1 + _HANDSHAKE_BYTES and not self._received:
                connection.sendall(answer[1 : 1 + _HANDSHAKE_BYTES])
                self._received = 1
        connection.settimeout(0.5)
        return connection

    def _run(self) -> None:
        application, _, name = urlsplit(self._url).path.strip("/").rpartition("/")
        base = self._url.rpartition("/")[0]
        try:
            self._command("connect", 1, {"app": application, "tcUrl": base, "flashVer": "LNX 9"})
            self._command("createStream", 2, None)
            buffer = struct.pack(">HII", _SET_BUFFER, _STREAM, _BUFFER_MS)
            self._write(chunks.CONTROL_CHANNEL, chunks.USER_CONTROL, 0, buffer)
            self._command("play", 3, None, name, -1000, stream=_STREAM)
            self._receive()
        except Exception as error:  # noqa: BLE001 - the edge of the thread: the reader tells it
            if not self._closing.is_set():
                self.error = error

    def _receive(self) -> None:
        while not self._closing.is_set():
            try:
                data = self._socket.recv(1 << 16)
            except TimeoutError:
                continue
            if not data:
                return
            self._received += len(data)
            for message in self._chunks.feed(data):
                self._handle(message)
            self._acknowledge()

    def _handle(self, message: Message) -> None:
        if message.type == chunks.VIDEO:
            self._take_video(message)
        elif message.type == chunks.AUDIO:
            self._take_audio(message)
        elif message.type == chunks.WINDOW_ACKNOWLEDGEMENT_SIZE:
            self._window = struct.unpack(">I", message.payload[:4])[0]
        elif message.type == chunks.USER_CONTROL:
            kind, value = struct.unpack(">HI", message.payload[:6])
            if kind == _PING:
                pong = struct.pack(">HI", _PONG, value)
                self._write(chunks.CONTROL_CHANNEL, chunks.USER_CONTROL, 0, pong)
        elif message.type == chunks.COMMAND_AMF0:
            self._take_command(amf0.decode(message.payload))

    def _take_command(self, values: list[Any]) -> None:
        status = values[3] if len(values) > 3 and isinstance(values[3], dict) else {}
        if status.get("level") == "error":
            raise ConnectionError(str(status.get("description") or status.get("code")))
        # nginx-rtmp says so even where nobody publishes yet, and keeps the player waiting.
        if values and values[0] == "onStatus" or (len(values) > 1 and values[1] == 2):
            self._playing.set()

    def _acknowledge(self) -> None:
        if self._window and self._received - self._acknowledged > self._window // 2:
            self._acknowledged = self._received
            count = struct.pack(">I", self._received & 0xFFFFFFFF)
            self._write(chunks.CONTROL_CHANNEL, chunks.ACKNOWLEDGEMENT, 0, count)

    def _command(self, name: str, number: int, *values: Any, stream: int = 0) -> None:
        payload = amf0.encode(name, number, *values)
        self._write(chunks.COMMAND_CHANNEL, chunks.COMMAND_AMF0, stream, payload)

    def _write(self, channel: int, kind: int, stream: int, payload: bytes) -> None:
        message = Message(kind, stream, 0, payload)
        # We never announce another chunk size, so the default one holds.
        parts = write_message(channel, message, chunk_bytes=chunks.DEFAULT_CHUNK_BYTES)
        self._socket.sendall(b"".join(parts))

    # --- media

    def _take_video(self, message: Message) -> None:
        body = message.payload
        if len(body) < 5 or body[0] & 0x0F != 7:
            return
        if body[1] == 0:
            self._video = _open_decoder("h264", body[5:])
        elif body[1] == 1 and self._video is not None:
            for frame in self._video.decode(av.Packet(body[5:])):
                self._note_picture(frame, message.timestamp)

    def _note_picture(self, frame: Any, pts_ms: int) -> None:
        luma = _luma(frame)
        card = decode_testcard(luma) if self._wants_cards else None
        seen = SeenPicture(pts_ms, time.time() * 1000, card)
        if self._on_picture is not None:
            self._on_picture(frame, seen)
        self.recorded.pictures.append(seen)

    def _take_audio(self, message: Message) -> None:
        body = message.payload
        if len(body) < 2 or body[0] >> 4 != 10:
            return
        if body[1] == 0:
            self._audio = _open_decoder("aac", body[2:])
        elif self._audio is not None:
            for frame in self._audio.decode(av.Packet(body[2:])):
                samples = frame.to_ndarray()[0].astype(np.float32)
                now_ms = time.time() * 1000
                self.recorded.blocks.append(HeardBlock(message.timestamp, now_ms, samples))


def _open_decoder(codec: str, extradata: bytes) -> Any:
    context = av.CodecContext.create(codec, "r")
    context.extradata = extradata
    context.thread_count = 1  # frame threads would hold pictures back
    if codec == "h264":
        context.options = {"flags": "low_delay"}
    context.open()
    return context


def _luma(frame: Any) -> Gray:
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    luma: Gray = rows[: frame.height, : frame.width]
    return luma
