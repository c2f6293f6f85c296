"""An RTMP publisher over asyncio: connect, publish, send tags, and say why when it is refused.

Our own rather than FFmpeg's: opening RTMP there can freeze a process for ever, hides the server's
answer (a wrong key is an I/O error like any other), checks no certificate and cannot be told which
address to connect to. See docs/adr/0003. Source: Adobe RTMP 1.0, 2012; enhanced by what servers
answer in practice.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from inference.media.packets import EncodedPacket, StreamHeaders

from . import amf0, chunks, flv
from .chunks import ChunkReader, Message, write_message

STEP_TIMEOUT_SECONDS: Final = 8.0
STALL_TIMEOUT_SECONDS: Final = 10.0
# Unsent bytes the kernel may hold: more would put seconds of old speech behind an interrupt.
_UNSENT_BYTES: Final = 128 * 1024
# Overflow: dropped. Replies are waited for until the stream has begun, and none after that.
_REPLIES: Final = 64
_HANDSHAKE_BYTES: Final = 1536
_PORTS: Final = {"rtmp": 1935, "rtmps": 443}
_PING_REQUEST: Final = 6
_PING_RESPONSE: Final = 7
_TCP_NOTSENT_LOWAT: Final = getattr(socket, "TCP_NOTSENT_LOWAT", 25)


class PublishError(Exception):
    """The stream cannot be published. code: stable; message: for a host, never with the key."""

    def __init__(self, code: str, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class Target:
    """Where to publish. addresses: checked by the egress guard; only these are connected to.

    ca_file: PEM to trust instead of the system's store.
    """

    url: str
    stream_key: str
    addresses: Sequence[str]
    ca_file: str | None = None

    @property
    def scheme(self) -> str:
        return urlsplit(self.url).scheme.lower()

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or _PORTS[self.scheme]

    def app_and_name(self) -> tuple[str, str]:
        """(application, stream name): the key is the name, or the last part of a full URL."""
        parts = urlsplit(self.url)
        path = parts.path.strip("/")
        if self.stream_key:
            app = path + (f"?{parts.query}" if parts.query else "")
            return app, self.stream_key
        app, _, name = path.rpartition("/")
        return app, name + (f"?{parts.query}" if parts.query else "")


class Publisher:
    """One publishing connection: `open`, then `send` packets, then `close`."""

    def __init__(self, target: Target, headers: StreamHeaders, *, ai_label: str = "") -> None:
        self._target = target
        self._headers = headers
        self._ai_label = ai_label
        self._chunks = ChunkReader()
        self._replies: asyncio.Queue[list[Any]] = asyncio.Queue(_REPLIES)
        self._tasks: list[asyncio.Task[None]] = []
        self._lost: PublishError | None = None
        self._base_pts: int | None = None
        self._stream_id = 0
        self._received = 0
        self._acknowledged = 0
        self._window = 0
        self.bytes_sent = 0

    async def open(self) -> None:
        """Connect and publish. Raises PublishError."""
        self._reader, self._writer = await self._connect()
        await self._step(self._handshake(), "handshake_timeout")
        self._tasks.append(asyncio.create_task(self._receive()))
        await self._step(self._publish(), "no_answer")
        self._send_media_headers()

    def send(self, packets: Sequence[EncodedPacket]) -> None:
        """Send video and AAC packets, together; the first one of all sets time 0.

        Raises PublishError. Afterwards `drain` is awaited while it `is_behind`.
        """
        if self._lost:
            raise self._lost
        # One write for all: on its own each costs a way through the kernel's TCP.
        self._write_bytes([part for packet in packets for part in self._chunks_of(packet)])

    @property
    def is_behind(self) -> bool:
        """Whether something is unsent, as it hardly ever is: asking costs no timer."""
        transport = self._writer.transport
        return bool(transport.get_write_buffer_size()) or transport.is_closing()

    async def drain(self) -> None:
        """Wait until little is unsent. Raises PublishError."""
        try:
            await asyncio.wait_for(self._writer.drain(), STALL_TIMEOUT_SECONDS)
        except TimeoutError as error:
            message = f"the server took no data for {STALL_TIMEOUT_SECONDS:.0f} s"
            raise PublishError("stalled", message) from error
        except OSError as error:
            message = f"the connection was lost: {error.strerror or error}"
            raise self._lost or PublishError("connection_lost", message) from error

    async def close(self) -> None:
        """Unpublish politely, at most one second, and close."""
        for task in self._tasks:
            task.cancel()
        if not hasattr(self, "_writer"):
            return
        try:
            if self._lost is None and self._stream_id:
                _, name = self._target.app_and_name()
                self._command("FCUnpublish", 6, None, name)
                self._command("deleteStream", 7, None, self._stream_id)
                await asyncio.wait_for(self._writer.drain(), 1)
            self._writer.close()
            await asyncio.wait_for(self._writer.wait_closed(), 1)
        except (OSError, TimeoutError):
            self._writer.transport.abort()

    # --- connecting -------------------------------------------------------------------------

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        target = self._target
        failure: Exception = OSError("no address")
        for address in target.addresses:
            try:
                return await asyncio.wait_for(self._open_socket(address), STEP_TIMEOUT_SECONDS)
            except (OSError, TimeoutError, ssl.SSLError) as error:
                failure = error
        raise _connect_error(failure, f"{target.host}:{target.port}") from failure

    async def _open_socket(self, address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        raw = socket.socket(family, socket.SOCK_STREAM)
        raw.setblocking(False)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
        try:
            await asyncio.get_running_loop().sock_connect(raw, (address, self._target.port))
        except BaseException:
            raw.close()
            raise
        context = self._tls_context()
        name = self._target.host if context else None
        reader, writer = await asyncio.open_connection(
            sock=raw, ssl=context, server_hostname=name, limit=1 << 20
        )
        writer.transport.set_write_buffer_limits(high=_UNSENT_BYTES)
        return reader, writer

    def _tls_context(self) -> ssl.SSLContext | None:
        if self._target.scheme != "rtmps":
            return None
        return ssl.create_default_context(cafile=self._target.ca_file)

    async def _step(self, work: Any, code: str) -> None:
        place = f"{self._target.host}:{self._target.port}"
        try:
            await asyncio.wait_for(work, STEP_TIMEOUT_SECONDS)
        except TimeoutError as error:
            message = f"{place} accepts connections but does not answer as an RTMP server"
            raise PublishError(code, message) from error
        except (OSError, asyncio.IncompleteReadError) as error:
            message = f"{place} closed the connection before the stream began"
            raise self._lost or PublishError("closed_early", message) from error

    async def _handshake(self) -> None:
        # The plain handshake: every ingest takes it; the digest one only matters to Flash players.
        challenge = struct.pack(">II", 0, 0) + os.urandom(_HANDSHAKE_BYTES - 8)
        self._writer.write(b"\x03" + challenge)
        version = (await self._reader.readexactly(1))[0]
        if version != 3:
            message = f"{self._target.host}:{self._target.port} is not an RTMP server"
            raise PublishError("not_rtmp", message, retryable=False)
        answer = await self._reader.readexactly(_HANDSHAKE_BYTES)
        self._writer.write(answer)
        await self._reader.readexactly(_HANDSHAKE_BYTES)

    async def _publish(self) -> None:
        app, name = self._target.app_and_name()
        base = self._target.url if self._target.stream_key else self._target.url.rpartition("/")[0]
        self._write(
            chunks.CONTROL_CHANNEL,
            chunks.SET_CHUNK_SIZE,
            struct.pack(">I", chunks.SENT_CHUNK_BYTES),
        )
        flash = "FMLE/3.0 (compatible; LiveStudio)"
        options = {"app": app, "type": "nonprivate", "flashVer": flash, "tcUrl": base}
        self._command("connect", 1, options)
        await self._result(1)
        self._command("releaseStream", 2, None, name)
        self._command("FCPublish", 3, None, name)
        self._command("createStream", 4, None)
        values = await self._result(4)
        self._stream_id = int(values[3]) if len(values) > 3 and values[3] else 1
        payload = amf0.encode("publish", 5, None, name, "live")
        self._write(chunks.COMMAND_CHANNEL, chunks.COMMAND_AMF0, payload)
        try:
            await self._published()
        except PublishError as error:
            if error.code != "closed":
                raise
            # nginx-rtmp and several platforms refuse a key by hanging up without a word.
            message = "the platform hung up when the stream began; is the stream key right?"
            raise PublishError("rejected", message) from error

    async def _result(self, transaction: int) -> list[Any]:
        while True:
            values = await self._reply()
            if values[0] == "_result" and values[1] == transaction:
                return values
            # nginx-rtmp and others answer FCPublish or releaseStream with _error and go on.
            if values[0] == "_error" and values[1] == transaction:
                raise _refusal(values)

    async def _published(self) -> None:
        while True:
            values = await self._reply()
            status = values[3] if len(values) > 3 and isinstance(values[3], dict) else {}
            if values[0] != "onStatus":
                continue
            if status.get("code") == "NetStream.Publish.Start":
                return
            if status.get("level") == "error":
                raise _refusal(values)

    async def _reply(self) -> list[Any]:
        getter = asyncio.ensure_future(self._replies.get())
        await asyncio.wait({getter, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
        if getter.done():
            return getter.result()
        getter.cancel()
        raise self._lost or PublishError("closed", "the server closed the connection")

    # --- while publishing -------------------------------------------------------------------

    async def _receive(self) -> None:
        try:
            while data := await self._reader.read(65536):
                self._received += len(data)
                for message in self._chunks.feed(data):
                    self._handle(message)
                self._acknowledge()
            self._lose("closed", "the server closed the stream; the key may be wrong or in use")
        except (chunks.ChunkError, amf0.Amf0Error) as error:
            self._lose("not_rtmp", f"the server sent something that is not RTMP: {error}")
        except OSError as error:
            self._lose("connection_lost", f"the connection was lost: {error.strerror or error}")

    def _lose(self, code: str, message: str) -> None:
        self._lost = self._lost or PublishError(code, message)

    def _handle(self, message: Message) -> None:
        if message.type == chunks.COMMAND_AMF0:
            self._handle_command(amf0.decode(message.payload))
        elif message.type == chunks.WINDOW_ACKNOWLEDGEMENT_SIZE and len(message.payload) >= 4:
            (self._window,) = struct.unpack(">I", message.payload[:4])
        elif message.type == chunks.USER_CONTROL and len(message.payload) >= 6:
            kind, value = struct.unpack(">HI", message.payload[:6])
            if kind == _PING_REQUEST:
                answer = struct.pack(">HI", _PING_RESPONSE, value)
                self._write(chunks.CONTROL_CHANNEL, chunks.USER_CONTROL, answer)

    def _handle_command(self, values: list[Any]) -> None:
        if len(values) < 2 or not isinstance(values[0], str):
            return
        status = values[3] if len(values) > 3 and isinstance(values[3], dict) else {}
        if values[0] == "onStatus" and status.get("level") == "error":
            self._lost = self._lost or _refusal(values)
        with contextlib.suppress(asyncio.QueueFull):
            self._replies.put_nowait(values)

    def _acknowledge(self) -> None:
        if self._window and self._received - self._acknowledged >= self._window // 2:
            self._acknowledged = self._received
            count = struct.pack(">I", self._received & 0xFFFFFFFF)
            self._write(chunks.CONTROL_CHANNEL, chunks.ACKNOWLEDGEMENT, count)

    # --- writing ----------------------------------------------------------------------------

    def _send_media_headers(self) -> None:
        meta = flv.metadata(self._headers, ai_label=self._ai_label)
        self._write(chunks.AUDIO_CHANNEL, chunks.DATA_AMF0, meta)
        self._write(chunks.VIDEO_CHANNEL, chunks.VIDEO, flv.video_header(self._headers))
        self._write(chunks.AUDIO_CHANNEL, chunks.AUDIO, flv.audio_header(self._headers))

    def _command(self, name: str, transaction: int, *values: Any) -> None:
        payload = amf0.encode(name, transaction, *values)
        message = Message(chunks.COMMAND_AMF0, 0, 0, payload)
        self._write_message(chunks.COMMAND_CHANNEL, message)

    def _write(self, channel: int, kind: int, payload: bytes, stamp: int = 0) -> None:
        is_control = channel == chunks.CONTROL_CHANNEL
        message = Message(kind, 0 if is_control else self._stream_id, stamp, payload)
        self._write_message(channel, message)

    def _write_message(self, channel: int, message: Message) -> None:
        self._write_bytes(write_message(channel, message))

    def _chunks_of(self, packet: EncodedPacket) -> list[bytes]:
        if self._base_pts is None:
            self._base_pts = packet.pts
        stamp = max(0, round((packet.pts - self._base_pts) / 48))
        if packet.stream == "video":
            body = flv.video_tag(packet.data, is_keyframe=packet.is_keyframe)
            message = Message(chunks.VIDEO, self._stream_id, stamp, body)
            return write_message(chunks.VIDEO_CHANNEL, message)
        message = Message(chunks.AUDIO, self._stream_id, stamp, flv.audio_tag(packet.data))
        return write_message(chunks.AUDIO_CHANNEL, message)

    def _write_bytes(self, parts: list[bytes]) -> None:
        data = b"".join(parts)
        self.bytes_sent += len(data)
        self._writer.write(data)


def _connect_error(error: Exception, place: str) -> PublishError:
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = error.verify_message or "not trusted"
        message = f"the certificate of {place} is not valid: {reason}"
        return PublishError("certificate", message, retryable=False)
    if isinstance(error, ssl.SSLError):
        message = f"{place} does not speak TLS; is it rtmp:// rather than rtmps://?"
        return PublishError("tls", message)
    if isinstance(error, ConnectionRefusedError):
        return PublishError("refused", f"nobody listens at {place} (connection refused)")
    if isinstance(error, TimeoutError):
        return PublishError(
            "timeout", f"{place} did not answer within {STEP_TIMEOUT_SECONDS:.0f} s"
        )
    reason = getattr(error, "strerror", None) or str(error)
    return PublishError("unreachable", f"cannot connect to {place}: {reason}")


def _refusal(values: list[Any]) -> PublishError:
    status = next((value for value in values[2:] if isinstance(value, dict)), {})
    code = str(status.get("code", ""))
    detail = str(status.get("description", ""))[:200]
    if "BadName" in code or "already publishing" in detail.lower():
        message = "the platform says this stream key is already in use or not valid"
        return PublishError("key_in_use", f"{message} ({code or detail})")
    message = "the platform refused the stream; check the address and the stream key"
    return PublishError("rejected", f"{message} ({code or detail or 'no reason given'})")
