"""How a runner finds its viewers over the network, as part of the protocol."""

from __future__ import annotations

from dataclasses import dataclass

from inference.json_form import Json


@dataclass(frozen=True, slots=True)
class IceSpec:
    """How viewers reach this runner by WebRTC.

    servers: `{"urls": [...], "username", "credential"}` as browsers take them.
    udp_ports: (first, last), both 0 = any. public_address: announced instead of host addresses.
    """

    servers: tuple[Json, ...] = ()
    host_addresses: tuple[str, ...] = ()
    udp_ports: tuple[int, int] = (0, 0)
    public_address: str | None = None
