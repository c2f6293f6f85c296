"""By what an address is counted: whoever has one IPv6 address has very many."""

from __future__ import annotations

import ipaddress
from typing import Final

# RFC 4291, 2.5.1: the lower half of an address names an interface, and its holder chooses it.
IPV6_NETWORK_BITS: Final = 64


def is_of_a_network(address: str) -> bool:
    """Whether somebody else is there: not this machine, nor a proxy that tells no addresses."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return not found.ipv4_mapped.is_loopback
    return not found.is_loopback


def network_of(address: str) -> str:
    """An IPv4 address as it is, of an IPv6 address the first of its network; else unchanged."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    if parsed.is_loopback:
        return str(parsed)
    return str(ipaddress.IPv6Network((int(parsed), IPV6_NETWORK_BITS), strict=False)[0])
