"""The feed of a child's pipe: never waits, loses nothing of what its source gave, and ends."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest

from inference.media.packets import EncodedPacket, pack_packet
from inference.outputs.base import PacketInput
from inference.outputs.feed import PipeFeed

from .media import ListSource


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def packet(number: int, size: int = 50_000) -> EncodedPacket:
    return EncodedPacket("video", number, 1, number == 0, bytes([number]) * size)


async def read_all(read_end: int, count: int) -> list[EncodedPacket]:
    """`count` packets as a child reads them."""
    packets: list[EncodedPacket] = []
    with os.fdopen(os.dup(read_end), "rb", buffering=0) as stream:
        opened = await PacketInput.open(stream)
        opened.data_received(b"{}\n")
        passing = asyncio.create_task(opened.pass_on(packets.extend))
        while len(packets) < count:
            await asyncio.sleep(0.001)
        passing.cancel()
        opened.close()
    return packets[:count]


async def test_packets_are_written_by_the_thread_that_brings_them(pipe: tuple[int, int]) -> None:
    source = ListSource()
    feed = PipeFeed(pipe[1], source)
    await asyncio.to_thread(source.put, packet(0, size=100))

    # The loop was not needed: what was put is in the pipe.
    assert (await read_all(pipe[0], 1))[0] == packet(0, size=100)
    feed.end()


async def test_full_pipe_holds_nobody_up_and_loses_nothing(pipe: tuple[int, int]) -> None:
    source = ListSource()
    feed = PipeFeed(pipe[1], source)
    async with asyncio.timeout(60):
        for number in range(8):  # six times what a pipe takes
            await asyncio.to_thread(source.put, packet(number))
        reading = asyncio.create_task(read_all(pipe[0], 8))
        await feed.drain(60)

        assert await reading == [packet(number) for number in range(8)]
    feed.end()


async def test_drain_gives_up_on_a_child_that_reads_nothing(pipe: tuple[int, int]) -> None:
    source = ListSource((packet(0), packet(1)))
    feed = PipeFeed(pipe[1], source)
    async with asyncio.timeout(60):
        await feed.drain(0.1)
    feed.end()


async def test_child_in_no_hurry_gets_packets_together_and_at_the_end_all(
    pipe: tuple[int, int],
) -> None:
    source = ListSource((packet(0, size=10),))
    feed = PipeFeed(pipe[1], source, every_seconds=600)
    source.put(packet(1, size=10))
    source.put(packet(2, size=10))
    first = await read_all(pipe[0], 1)
    assert source.take() == packet(1, size=10)  # still with the source

    feed.close()
    await feed.drain(60)
    assert first + await read_all(pipe[0], 1) == [packet(0, size=10), packet(2, size=10)]
    feed.end()


async def test_sound_goes_with_the_next_picture_or_by_itself_when_none_comes(
    pipe: tuple[int, int],
) -> None:
    source = ListSource()
    feed = PipeFeed(pipe[1], source)
    sounds = [EncodedPacket("aac", number, 1024, True, b"a") for number in range(5)]
    source.put(sounds[0])
    assert len(source) == 1
    source.put(packet(1, size=10))
    assert await read_all(pipe[0], 2) == [sounds[0], packet(1, size=10)]

    for sound in sounds[1:]:
        source.put(sound)
    assert await read_all(pipe[0], 3) == sounds[1:4]
    assert len(source) == 1
    feed.end()


async def test_dead_child_stops_the_feed(pipe: tuple[int, int]) -> None:
    source = ListSource()
    feed = PipeFeed(pipe[1], source)
    os.close(pipe[0])
    source.put(packet(0))
    source.put(packet(1))

    assert source.take() == packet(1)  # nothing more was taken
    feed.end()
    os.dup2(pipe[1], pipe[0])  # for the fixture to close


async def test_dropped_packets_are_told_once(pipe: tuple[int, int]) -> None:
    source = ListSource()
    feed = PipeFeed(pipe[1], source)
    source.dropped = 3

    assert (feed.take_dropped(), feed.take_dropped()) == (3, 0)
    feed.end()


async def test_what_waits_together_is_written_at_once() -> None:
    read_end, write_end = os.pipe2(os.O_DIRECT)  # what one write put in is what one read gets
    source = ListSource()
    feed = PipeFeed(write_end, source)
    sound = EncodedPacket("aac", 0, 1024, True, b"a")
    source.put(sound)
    source.put(packet(1, size=10))

    assert os.read(read_end, 65536) == pack_packet(sound) + pack_packet(packet(1, size=10))
    feed.end()
    os.close(read_end)
    os.close(write_end)
