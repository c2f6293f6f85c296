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
# RFC 3986: brackets stand around the whole host. urlsplit drops what is written beside them.
_BRACKETED: Final = re.compile(r"\[[0-9a-f:.]+\](:[0-9]*)?", re.IGNORECASE)
# Of DNS64: the network beyond turns it into IPv4. Its local sibling 64:ff9b:1::/48 (RFC 8215) may
# hold the IPv4 address at any place, so that one is never followed.
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_METADATA_NAMES: Final = frozenset({"metadata", "metadata.google.internal", "instance-data"})
# Of AWS, GCP, Azure, Alibaba and Oracle. Some lie in ranges that are public or often allowed.
_METADATA: Final = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "fd00:ec2::23",
        "fd20:ce::254", "168.63.129.16", "100.100.100.200", "192.0.0.192",
    )
)  # fmt: skip
# The special-purpose registries of IANA (RFC 6890 and after), written out: what `ipaddress` calls
# private differs from one Python to the next.
_SPECIAL: Final = tuple(
    (ipaddress.ip_network(network), reason)
    for network, reason in (
        ("0.0.0.0/8", "which is no address to connect to"),
        ("10.0.0.0/8", "a private address"),
        ("100.64.0.0/10", "an address of a provider's own network"),
        ("127.0.0.0/8", "this machine itself"),
        ("169.254.0.0/16", "a link-local address"),
        ("172.16.0.0/12", "a private address"),
        ("192.0.0.0/24", "a reserved address"),
        ("192.0.2.0/24", "an address for examples"),
        ("192.88.99.0/24", "a relay to another network"),
        ("192.168.0.0/16", "a private address"),
        ("198.18.0.0/15", "an address for measurements"),
        ("198.51.100.0/24", "an address for examples"),
        ("203.0.113.0/24", "an address for examples"),
        ("224.0.0.0/4", "a multicast address"),
        ("240.0.0.0/4", "a reserved address"),
        ("::/128", "which is no address to connect to"),
        ("::1/128", "this machine itself"),
        ("fc00::/7", "a private address"),
        ("fe80::/10", "a link-local address"),
        ("fec0::/10", "a link-local address"),  # retired by RFC 3879, still routed in some sites
        ("ff00::/8", "a multicast address"),
        ("2001::/23", "a tunnel or a reserved address"),  # Teredo among them
        ("2001:db8::/32", "an address for examples"),
        ("2002::/16", "a tunnel to an IPv4 address"),  # 6to4
        ("3fff::/20", "an address for examples"),
    )
)
_PRIVATE: Final = tuple(
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)
_PUBLIC_IPV6: Final = ipaddress.IPv6Network("2000::/3")
# ISATAP (RFC 5214): an IPv4 address behind 0:5efe or 200:5efe in the lower half.
_ISATAP: Final = frozenset({0x00005EFE, 0x02005EFE})
# Ports of other protocols, where our bytes might be read as theirs: the "bad ports" of the Fetch
# standard (https://fetch.spec.whatwg.org/#port-blocking), but 9: who discards misreads nothing.
_FOREIGN_PORTS: Final = frozenset(
    {
        1, 7, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101,
        102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389,
        427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636,
        989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665,
        6666, 6667, 6668, 6669, 6679, 6697, 10080,
    }
)  # fmt: skip


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
    if "[" in parts.netloc and not _BRACKETED.fullmatch(parts.netloc):
        raise EgressError("The address is not well formed; look at its brackets.")
    if parts.port == 0:
        raise EgressError("Port 0 cannot be connected to.")
    if parts.port in _FOREIGN_PORTS:
        raise EgressError(f"Port {parts.port} belongs to another kind of server.")
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
    """The IPv4 address that an IPv6 one stands for: mapped, or behind NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped


def _refusal(address: Address) -> str | None:
    """Why an address is refused, None when it is public."""
    if address in _METADATA:
        return "a cloud metadata service"
    for network, reason in _SPECIAL:
        if address.version == network.version and address in network:
            return reason
    if isinstance(address, ipaddress.IPv4Address) or _embedded(address):
        return None
    if address not in _PUBLIC_IPV6:
        return "not a public address"
    is_tunnel = int(address) >> 32 & 0xFFFFFFFF in _ISATAP
    return "a tunnel to an IPv4 address" if is_tunnel else None


def _matches(address: Address, allow: tuple[str, ...]) -> bool:
    return any(_matches_entry(address, entry) for entry in allow)


def _matches_entry(address: Address, entry: str) -> bool:
    if entry == "loopback":
        return address.is_loopback
    if entry == "private":
        if address in _METADATA:
            return False
        return any(address.version == item.version and address in item for item in _PRIVATE)
    network = ipaddress.ip_network(entry, strict=False)
    if address in _METADATA and network.num_addresses > 1:
        return False  # a whole network opens much, but never this by the way
    return address.version == network.version and address in network
