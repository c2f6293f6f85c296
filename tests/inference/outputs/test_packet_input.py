"""The input of a child: its line, then packets in order, none before it can take them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from inference.media.packets import EncodedPacket, pack_packet
from inference.outputs.base import PacketInput


@asynccontextmanager
async def child_input() -> AsyncIterator[tuple[PacketInput, int]]:
    """(the input, the descriptor that fills it; whoever closes it ends the input)."""
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb", buffering=0) as stream:
        opened = await PacketInput.open(stream)
        yield opened, write_end
        opened.close()


def packet(number: int, size: int = 10) -> EncodedPacket:
    return EncodedPacket("video", number, 1, number == 0, bytes([number]) * size)


def packed(*packets: EncodedPacket) -> bytes:
    return b"".join(pack_packet(packet) for packet in packets)


async def test_line_and_packets_arrive_in_pieces_of_any_size() -> None:
    packets = [packet(0, 5), packet(1, 0), packet(2, 300)]
    taken: list[EncodedPacket] = []
    async with child_input() as (opened, end), asyncio.timeout(60):
        for byte in b'{"job": 1}\n' + packed(*packets):
            os.write(end, bytes([byte]))
            await asyncio.sleep(0)
        os.close(end)

        assert await opened.first_line() == b'{"job": 1}'
        await opened.pass_on(taken.extend)

    assert taken == packets


async def test_what_comes_together_is_handed_over_together() -> None:
    taken: list[list[EncodedPacket]] = []
    async with child_input() as (opened, end), asyncio.timeout(60):
        os.write(end, b"\n" + packed(packet(0), packet(1)))
        os.close(end)
        await opened.pass_on(taken.append)

    assert taken == [[packet(0), packet(1)]]


async def test_nothing_is_handed_over_while_the_child_is_behind() -> None:
    taken: list[list[EncodedPacket]] = []
    caught_up = asyncio.Event()

    def take(packets: list[EncodedPacket]) -> asyncio.Future[None] | None:
        taken.append(packets)
        return asyncio.ensure_future(wait()) if len(taken) == 1 else None

    async def wait() -> None:
        await caught_up.wait()

    async with child_input() as (opened, end), asyncio.timeout(60):
        os.write(end, b"\n" + packed(packet(0)))
        passing = asyncio.create_task(opened.pass_on(take))
        while not taken:
            await asyncio.sleep(0.001)
        os.write(end, packed(packet(1)))
        os.close(end)
        await asyncio.sleep(0.05)
        assert taken == [[packet(0)]]

        caught_up.set()
        await passing

    assert taken == [[packet(0)], [packet(1)]]


@pytest.mark.parametrize("is_later", [False, True])
async def test_failure_of_the_child_ends_it_and_is_told(*, is_later: bool) -> None:
    async def fail() -> None:
        raise OSError("the disk is full")

    def take(packets: list[EncodedPacket]) -> asyncio.Future[None]:
        if is_later:
            return asyncio.ensure_future(fail())
        raise OSError("the disk is full")

    async with child_input() as (opened, end), asyncio.timeout(60):
        os.write(end, b"\n" + packed(packet(0)))
        with pytest.raises(OSError, match="disk is full"):
            await opened.pass_on(take)
        os.close(end)


async def test_half_a_packet_at_the_end_is_left_out() -> None:
    taken: list[EncodedPacket] = []
    async with child_input() as (opened, end), asyncio.timeout(60):
        os.write(end, b"\n" + packed(packet(0), packet(1))[:-1])
        os.close(end)
        await opened.pass_on(taken.extend)

    assert taken == [packet(0)]
