"""The guard for addresses that users give: where a server of ours may connect to, and where not.

Pure Python without Django: the web checks an address when it is saved, a pusher child checks it
again when it connects, because a name may resolve differently by then (DNS rebinding).
Connect to one of the returned addresses, never to the name again.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Iterable[str]]

RTMP_SCHEMES: Final = ("rtmp", "rtmps")
HTTP_SCHEMES: Final = ("https", "http")
URL_MAX_CHARACTERS: Final = 2000

_DEFAULT_PORTS: Final = {"rtmp": 1935, "rtmps": 443, "http": 80, "https": 443}
_HOST_NAME: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\.?")
# Resolvers read a name that ends in a number as IPv4, in spellings people do not write: 127.1,
# 0x7f.1, 0177.0.0.1.
_NUMBER: Final = re.compile(r"0x[0-9a-f]*|[0-9]+")
_NAT64: Final = (
    ipaddress.IPv6Network("64:ff9b::/96"),
    ipaddress.IPv6Network("64:ff9b:1::/48"),
)
_METADATA_NAMES: Final = frozenset({"metadata", "metadata.google.internal", "instance-data"})
_METADATA: Final = frozenset(
    ipaddress.ip_address(text)
    for text in ("169.254.169.254", "169.254.170.2", "100.100.100.200", "fd00:ec2::254")
)


class EgressError(Exception):
    """This address must not be connected to; the text says why, for a host to read."""


class NameNotFoundError(EgressError):
    """The name has no address now; it may have one soon."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A checked address. addresses: what the name resolved to, every one of them allowed."""

    scheme: str
    host: str
    port: int
    addresses: tuple[str, ...]


def check_url(
    url: str,
    *,
    schemes: tuple[str, ...],
    allow: tuple[str, ...] = (),
    resolve: Resolver | None = None,
) -> Destination:
    """The checked destination of a URL. Raises EgressError in words a host understands.

    allow: `loopback`, `private`, addresses or networks that are taken besides public ones.
    """
    parts = check_syntax(url, schemes=schemes)
    host, port = _host_of(parts), parts.port or _DEFAULT_PORTS[parts.scheme]
    addresses = tuple(dict.fromkeys((resolve or resolve_host)(host, port)))
    if not addresses:
        raise EgressError(f"The name {host} has no address.")
    for address in addresses:
        check_address(address, host=host, allow=allow)
    return Destination(parts.scheme, host, port, addresses)


def check_syntax(url: str, *, schemes: tuple[str, ...]) -> SplitResult:
    """The parts of a URL that is well formed and of an allowed scheme. Raises EgressError."""
    if len(url) > URL_MAX_CHARACTERS:
        raise EgressError(f"The address is longer than {URL_MAX_CHARACTERS} characters.")
    if not url.isascii() or any(character <= " " or character == "\x7f" for character in url):
        raise EgressError("The address contains a blank, a control or a non-ASCII character.")
    if "\\" in url:
        raise EgressError("The address contains a backslash.")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise EgressError("The address is not well formed; look at its host and port.") from error
    if parts.scheme not in schemes:
        raise EgressError(f"The address must start with {' or '.join(f'{s}://' for s in schemes)}.")
    if "@" in parts.netloc:
        raise EgressError("The address must not contain a user name or password.")
    if parts.port == 0:
        raise EgressError("Port 0 cannot be connected to.")
    _host_of(parts)
    return parts


def check_address(address: str, *, host: str, allow: tuple[str, ...] = ()) -> None:
    """Raises EgressError unless the address is public or allowed."""
    parsed = _parse_address(address, host)
    if any(_matches(inner, allow) for inner in (parsed, _embedded(parsed)) if inner is not None):
        return
    for inner in (parsed, _embedded(parsed)):
        reason = None if inner is None else _refusal(inner)
        if reason:
            raise EgressError(f"{host} leads to {address}, {reason}. Only public addresses work.")


def is_allow_entry(entry: str) -> bool:
    """Whether the text may stand in EGRESS_ALLOW."""
    if entry in ("loopback", "private"):
        return True
    try:
        ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
    return True


def resolve_host(host: str, port: int) -> list[str]:
    """Every address of a name. Raises EgressError when it has none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NameNotFoundError(f"The name {host} cannot be found. Is it spelled right?") from error
    return [str(item[4][0]) for item in found]


def _host_of(parts: SplitResult) -> str:
    host = (parts.hostname or "").lower()
    if not host:
        raise EgressError("The address has no host name.")
    if "%" in host:
        raise EgressError(f"{host} names a network card of this machine; leave out the % part.")
    if ":" in host:
        _parse_address(host, host)
        return host
    if _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        _check_plain_ipv4(host)
        return host
    if not _HOST_NAME.fullmatch(host) or len(host) > 253:
        raise EgressError(f"{host} is not a host name.")
    if host.rstrip(".") in _METADATA_NAMES:
        raise EgressError(f"{host} is a cloud metadata service.")
    return host


def _check_plain_ipv4(host: str) -> None:
    try:
        ipaddress.IPv4Address(host)
    except ValueError as error:
        message = f"{host} is not a plain IPv4 address; write four numbers such as 203.0.113.7."
        raise EgressError(message) from error


def _parse_address(address: str, host: str) -> Address:
    try:
        # A zone (fe80::1%eth0) only ever belongs to a link-local address.
        return ipaddress.ip_address(address.partition("%")[0])
    except ValueError as error:
        raise EgressError(f"{host} is not a valid address.") from error


def _embedded(address: Address) -> Address | None:
    """The IPv4 address that an IPv6 one stands for (mapped, NAT64, 6to4, Teredo, compatible)."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour
    if address.teredo:
        return address.teredo[1]
    low = int(address) & 0xFFFFFFFF
    is_compatible = int(address) >> 32 == 0 and low > 1
    if is_compatible or any(address in network for network in _NAT64):
        return ipaddress.IPv4Address(low)
    return None


def _refusal(address: Address) -> str | None:
    """Why an address is refused, None when it is public."""
    if address in _METADATA:
        return "a cloud metadata service"
    for flag, reason in (
        (address.is_unspecified, "which is no address to connect to"),
        (address.is_loopback, "this machine itself"),
        (address.is_link_local or _is_site_local(address), "a link-local address"),
        (address.is_multicast, "a multicast address"),
        (address.is_private, "a private address"),
        (address.is_reserved and address.version == 4, "a reserved address"),
        (not address.is_global and _embedded(address) is None, "not a public address"),
    ):
        if flag:
            return reason
    return None


def _is_site_local(address: Address) -> bool:
    # fec0::/10, retired by RFC 3879 and still routed inside some sites.
    return isinstance(address, ipaddress.IPv6Address) and address.is_site_local


def _matches(address: Address, allow: tuple[str, ...]) -> bool:
    return any(_matches_entry(address, entry) for entry in allow)


def _matches_entry(address: Address, entry: str) -> bool:
    if entry == "loopback":
        return address.is_loopback
    if entry == "private":
        is_special = address.is_loopback or address.is_link_local or address.is_unspecified
        return address.is_private and not is_special and address not in _METADATA
    network = ipaddress.ip_network(entry, strict=False)
    return address.version == network.version and address in network
