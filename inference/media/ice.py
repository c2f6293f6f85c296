"""Which addresses and ports a runner offers to viewers, and what it tells them.

aiortc leaves out loopback and knows neither a port range nor an address behind a 1:1 NAT. The two
functions of aioice and asyncio that decide are replaced here, once per process.
"""

from __future__ import annotations

import asyncio
import errno
import random
import re
from collections.abc import Callable
from typing import Any, Final

import aioice.ice
from aiortc import RTCConfiguration, RTCIceServer

from inference.protocol import IceSpec

# Signalling has 5 s for the whole answer.
GATHER_SECONDS: Final = 1.5
_HOST_CANDIDATE: Final = re.compile(
    r"^(a=candidate:\S+ \d+ udp \d+ )(\S+)( \d+ typ host.*)$", re.MULTILINE
)


def configuration(spec: IceSpec) -> RTCConfiguration:
    """The peer connection's configuration; never the third-party STUN that aiortc defaults to."""
    return RTCConfiguration(
        iceServers=[
            RTCIceServer(
                urls=server["urls"],
                username=server.get("username"),
                credential=server.get("credential"),
            )
            for server in spec.servers
        ]
    )


def limit_gathering() -> None:
    """Leave out a STUN or TURN server that does not answer, before a viewer is given up."""
    ask: Callable[..., Any] = aioice.ice.Connection.get_component_candidates
    if ask.__module__ == __name__:
        return

    async def get_component_candidates(
        connection: Any, component: int, addresses: list[str], timeout: float = 0
    ) -> Any:
        return await ask(connection, component, addresses, timeout=GATHER_SECONDS)

    aioice.ice.Connection.get_component_candidates = get_component_candidates  # type: ignore[method-assign,assignment]


def use_addresses(spec: IceSpec) -> None:
    """Offer exactly these host addresses from now on; none given = those of the machine."""
    if not spec.host_addresses:
        return
    chosen = [address for address in spec.host_addresses if address != "machine"]
    ask_machine: Callable[[bool, bool], list[str]] = aioice.ice.get_host_addresses

    def host_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
        found = ask_machine(use_ipv4, use_ipv6) if "machine" in spec.host_addresses else []
        return list(dict.fromkeys([*chosen, *found]))

    aioice.ice.get_host_addresses = host_addresses


def use_ports(spec: IceSpec, loop: asyncio.AbstractEventLoop) -> None:
    """Bind ICE sockets only to ports of the range."""
    first, last = spec.udp_ports
    if not first:
        return
    create: Callable[..., Any] = loop.create_datagram_endpoint

    async def create_in_range(
        factory: Any, local_addr: tuple[str, int] | None = None, **options: Any
    ) -> Any:
        if local_addr is None or local_addr[1] != 0 or "remote_addr" in options:
            return await create(factory, local_addr=local_addr, **options)
        ports = list(range(first, last + 1))
        random.shuffle(ports)
        for port in ports:
            try:
                return await create(factory, local_addr=(local_addr[0], port), **options)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
        raise OSError(errno.EADDRINUSE, f"no free UDP port in {first}-{last}")

    loop.create_datagram_endpoint = create_in_range  # type: ignore[method-assign,assignment]


def announce_public_address(sdp: str, spec: IceSpec) -> str:
    """The answer with the public address in its host candidates (1:1 NAT)."""
    if not spec.public_address:
        return sdp
    return _HOST_CANDIDATE.sub(rf"\g<1>{spec.public_address}\g<3>", sdp)
