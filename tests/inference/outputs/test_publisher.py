"""A publisher against a server that says more than anybody asked it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from inference.media.encoder import AacEncoder, VideoEncoder
from inference.media.packets import StreamHeaders
from inference.outputs.rtmp import amf0, chunks
from inference.outputs.rtmp.chunks import ChunkReader, Message, write_message
from inference.outputs.rtmp.publisher import Publisher, Target
from inference.protocol import RenditionSpec
from tests.inference.runner.viewer_peer import eventually

CHATTER = 2000


def command(*values: object) -> bytes:
    message = Message(chunks.COMMAND_AMF0, 0, 0, amf0.encode(*values))
    parts = write_message(3, message, chunk_bytes=chunks.DEFAULT_CHUNK_BYTES)
    return b"".join(parts)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept the stream, then talk."""
    await reader.readexactly(1 + 1536)
    writer.write(b"\x03" + bytes(2 * 1536))
    await reader.readexactly(1536)
    commands, begun = ChunkReader(), False
    while not begun:
        for message in commands.feed(await reader.read(4096)):
            if message.type != chunks.COMMAND_AMF0:
                continue
            name, transaction = amf0.decode(message.payload)[:2]
            if name in ("connect", "createStream"):
                writer.write(command("_result", transaction, None, 1.0))
            begun |= name == "publish"
    writer.write(command("onStatus", 0, None, {"code": "NetStream.Publish.Start"}))
    writer.write(command("onBandwidth", 0, None) * CHATTER)
    await reader.read()
    writer.close()


@asynccontextmanager
async def talkative_server() -> AsyncIterator[int]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def headers() -> StreamHeaders:
    video = VideoEncoder(RenditionSpec("main", 320, 180, 1920, 500))
    return video.headers(AacEncoder().config)


async def test_what_a_server_tells_for_hours_takes_bounded_memory() -> None:
    async with talkative_server() as port:
        target = Target(f"rtmp://127.0.0.1:{port}/live", "key", ("127.0.0.1",))
        publisher = Publisher(target, headers())
        await publisher.open()

        told = CHATTER * len(command("onBandwidth", 0, None))
        await eventually(lambda: publisher._received > told, "all of it has come")
        waiting = publisher._replies.qsize()
        await publisher.close()

    assert waiting < 100
