"""What ICE offers: nothing of a server that is silent, the public address where one is set."""

from __future__ import annotations

import asyncio
import socket

import aioice
import pytest

from inference.media import ice
from inference.protocol import SIGNAL_DEADLINE_SECONDS, IceSpec

SDP = """v=0
a=candidate:1 1 udp 2130706431 10.0.0.7 50000 typ host
a=candidate:2 1 udp 1694498815 198.51.100.9 50000 typ srflx raddr 10.0.0.7 rport 50000
"""


async def test_silent_server_does_not_hold_up_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ice.GATHER_SECONDS < SIGNAL_DEADLINE_SECONDS / 2  # of which the whole answer is made
    monkeypatch.setattr(ice, "GATHER_SECONDS", 0.2)
    ice.limit_gathering()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        connection = aioice.Connection(
            ice_controlling=False,
            turn_server=silent.getsockname(),
            turn_username="u",
            turn_password="p",
        )
        try:
            async with asyncio.timeout(60):
                await connection.gather_candidates()
        finally:
            await connection.close()
        asked = _datagrams(silent)

    # In the 5 s that aioice waits by itself it asks four times.
    assert 1 <= asked <= 2


def _datagrams(receiver: socket.socket) -> int:
    """How many have come."""
    receiver.setblocking(False)
    count = 0
    try:
        while receiver.recv(2048):
            count += 1
    except BlockingIOError:
        return count
    raise AssertionError("an empty datagram")


def test_public_address_stands_in_for_host_candidates_only() -> None:
    sdp = ice.announce_public_address(SDP, IceSpec(public_address="203.0.113.5"))

    assert "2130706431 203.0.113.5 50000 typ host" in sdp
    assert "198.51.100.9 50000 typ srflx" in sdp
    assert ice.announce_public_address(SDP, IceSpec()) == SDP


def test_no_servers_means_none_rather_than_a_third_party() -> None:
    assert ice.configuration(IceSpec()).iceServers == []
