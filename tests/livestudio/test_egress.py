"""The guard for addresses that users give."""

from __future__ import annotations

import ipaddress
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.egress import (
    HTTP_SCHEMES,
    RTMP_SCHEMES,
    EgressError,
    check_address,
    check_url,
    is_allow_entry,
)
from livestudio.common.egress import check_destination, check_form
from livestudio.common.errors import EgressRefusedError

PUBLIC = "93.184.215.14"


def resolve_public(host: str, port: int) -> Iterable[str]:
    return [PUBLIC]


def check_rtmp(url: str, *, resolve: Any = resolve_public, allow: tuple[str, ...] = ()) -> Any:
    return check_url(url, schemes=RTMP_SCHEMES, allow=allow, resolve=resolve)


def test_public_address_gives_host_port_and_addresses() -> None:
    plain = check_rtmp("rtmp://live.example.org/app/room?x=1")
    secure = check_rtmp("rtmps://LIVE.example.org:1936/app")

    assert (plain.host, plain.port, plain.addresses) == ("live.example.org", 1935, (PUBLIC,))
    assert (secure.scheme, secure.host, secure.port) == ("rtmps", "live.example.org", 1936)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "live.example.org/app",
        "http://live.example.org/app",
        "file:///etc/passwd",
        "rtmp:///app",
        "rtmp://user:secret@live.example.org/app",
        "rtmp://live.example.org@127.0.0.1/app",
        "rtmp://live.example.org:0/app",
        "rtmp://live.example.org:70000/app",
        "rtmp://live.example.org:port/app",
        "rtmp://live example.org/app",
        "rtmp://live.example.org/app\r\nHost: x",
        "rtmp://live.example.org/\x00",
        "rtmp://live.example.org\\@10.0.0.1/app",
        "rtmp://-bad-.example.org/app",
        "rtmp://直播.example.org/app",
        "rtmp://[::1/app",
        "rtmp://live.example.org[2606:2800:220:1::1]/app",
        "rtmp://[2606:2800:220:1::1].example.org/app",
        "rtmp://[2606:2800:220:1::1]:1935:1936/app",
        "rtmp://[v1.example]/app",
        "rtmp://live.ex%61mple.org/app",
        "rtmp://live.example.org:%31935/app",
        "rtmp://live..example.org/app",
        "rtmp://live.example.org../app",
        "rtmp:live.example.org/app",
        "rtmp://live.example.org:25/app",
        "rtmp://live.example.org:6667/app",
        "rtmp://1\u2024\uff11/app",
        "rtmp://\u24db\u24d8ve.example.org/app",
        "rtmp://live\u3002example.org/app",
        "concat:rtmp://live.example.org/app|file:/etc/passwd",
        "subfile,,start,0,end,9,,:/etc/passwd",
        "async:rtmp://live.example.org/app",
        "cache:http://live.example.org/app",
        "crypto:http://live.example.org/app",
        "data:text/plain,hello",
        "hls+http://live.example.org/x.m3u8",
        "pipe:0",
        "tee:rtmp://live.example.org/app",
        "tcp://live.example.org:1935",
        "unix:/run/x.sock",
        "gopher://live.example.org/_x",
        "/etc/passwd",
        "rtmp://[fe80::1%25eth0]/app",
        "rtmp://" + "a" * 2000 + ".org/app",
        "rtmp://metadata.google.internal/app",
    ],
)
def test_address_of_a_wrong_form_is_refused(url: str) -> None:
    with pytest.raises(EgressError) as caught:
        check_rtmp(url)

    assert len(str(caught.value)) > 20


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "127.1",
        "0x7f.1",
        "0177.0.0.1",
        "127.0.0.1.",
        "0x7f000001",
        "1.1.1.1.1",
        "256.1.1.1",
        "017700000001",
        "0x7f000001.",
        "127.0.0.1..",
        "0127.0.0.1",
        "127.000.000.001",
        "127.0.0x1",
        "0",
        "0x0",
        "4294967295",
        "18446744073709551617",
        "169.254.43518",
        "example.127",
    ],
)
def test_odd_spellings_of_ipv4_are_refused_before_any_look_up(host: str) -> None:
    def resolve(host: str, port: int) -> Iterable[str]:
        raise AssertionError("looked up")

    with pytest.raises(EgressError):
        check_rtmp(f"rtmp://{host}/app", resolve=resolve, allow=("loopback",))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "169.254.1.1",
        "100.100.100.200",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "198.18.0.1",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "fec0::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "2001:0:4136:e378:8000:63bf:f5ff:fffe",
        "2001:0:808:808:8000:63bf:f7f7:f7f7",
        "2002:808:808::1",
        "64:ff9b:1::808:808",
        "64:ff9b:1:7f:0:100::",
        "::ffff:0:7f00:1",
        "::8.8.8.8",
        "2606:2800::5efe:7f00:1",
        "2606:2800::200:5efe:a00:1",
        "2001:20::1",
        "100::1",
        "5f00::1",
        "3fff::1",
        "192.0.0.192",
        "192.88.99.1",
        "168.63.129.16",
        "fd20:ce::254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
    ],
)
def test_addresses_that_are_not_public_are_refused_wherever_they_come_from(address: str) -> None:
    def resolve(host: str, port: int) -> Iterable[str]:
        # One good address among them makes no difference: the connection might take the other.
        return [PUBLIC, address]

    with pytest.raises(EgressError, match=r"live\.example\.org"):
        check_rtmp("rtmp://live.example.org/app", resolve=resolve)


@pytest.mark.parametrize(
    "address",
    [PUBLIC, "8.8.8.8", "2606:2800:220:1::1", "64:ff9b::808:808", "::ffff:8.8.8.8", "2a00::1"],
)
def test_public_addresses_pass(address: str) -> None:
    check_address(address, host="x")


@pytest.mark.parametrize(
    ("allow", "address", "is_allowed"),
    [
        (("loopback",), "127.0.0.1", True),
        (("loopback",), "::1", True),
        (("loopback",), "::ffff:127.0.0.1", True),
        (("loopback",), "10.0.0.1", False),
        (("private",), "10.0.0.1", True),
        (("private",), "fd12::1", True),
        (("private",), "127.0.0.1", False),
        (("private",), "169.254.169.254", False),
        (("private",), "fd00:ec2::254", False),
        (("10.1.0.0/16",), "10.1.2.3", True),
        (("10.1.0.0/16",), "10.2.2.3", False),
        (("10.1.2.3",), "10.1.2.3", True),
        (("10.0.0.0/8", "loopback"), "127.0.0.1", True),
        (("private",), "100.64.0.1", False),
        (("100.64.0.0/10",), "100.64.0.1", True),
        (("100.64.0.0/10",), "100.100.100.200", False),
        (("0.0.0.0/0", "::/0"), "169.254.169.254", False),
        (("0.0.0.0/0", "::/0"), "fd00:ec2::254", False),
        (("169.254.169.254",), "169.254.169.254", True),
        (("64:ff9b:1::/48",), "64:ff9b:1::808:808", True),
    ],
)
def test_allow_list_opens_what_it_names_and_no_more(
    allow: tuple[str, ...], address: str, is_allowed: bool
) -> None:
    if is_allowed:
        check_address(address, host="x", allow=allow)
    else:
        with pytest.raises(EgressError):
            check_address(address, host="x", allow=allow)


@given(st.integers(min_value=0, max_value=2**32 - 1))
def test_no_ipv6_dress_hides_an_ipv4_address(value: int) -> None:
    plain = ipaddress.IPv4Address(value)
    dresses = (
        f"::ffff:{plain}",
        str(ipaddress.IPv6Address(0x64FF9B << 96 | value)),
        str(ipaddress.IPv6Address(0x2002 << 112 | value << 80)),
    )
    try:
        check_address(str(plain), host="x")
        is_public = True
    except EgressError:
        is_public = False

    for dress in dresses:
        if not is_public:
            with pytest.raises(EgressError):
                check_address(dress, host="x")


@given(st.text(max_size=60))
def test_any_text_is_checked_or_refused_and_never_breaks_the_guard(text: str) -> None:
    for url in (text, f"rtmp://{text}", f"rtmp://{text}/app"):
        try:
            destination = check_rtmp(url)
        except EgressError:
            continue
        assert destination.addresses == (PUBLIC,)
        assert destination.host.isascii()


def test_unknown_name_and_name_without_address_are_told() -> None:
    with pytest.raises(EgressError, match="has no address"):
        check_rtmp("rtmp://live.example.org/app", resolve=lambda host, port: [])
    with pytest.raises(EgressError, match="spelled right"):
        check_url("rtmp://no-such-name.invalid/app", schemes=RTMP_SCHEMES)


@pytest.mark.parametrize(
    ("entry", "is_good"),
    [("loopback", True), ("private", True), ("10.0.0.0/8", True), ("::1", True), ("any", False)],
)
def test_entries_of_the_allow_list(entry: str, is_good: bool) -> None:
    assert is_allow_entry(entry) is is_good


def test_the_site_setting_decides_what_the_web_side_lets_through(settings: Any) -> None:
    settings.EGRESS_ALLOW = ("loopback",)
    assert check_destination("rtmp://127.0.0.1:1935/live", schemes=RTMP_SCHEMES).port == 1935
    settings.EGRESS_ALLOW = ()

    with pytest.raises(EgressRefusedError) as caught:
        check_destination("rtmp://127.0.0.1:1935/live", schemes=RTMP_SCHEMES)
    with pytest.raises(EgressRefusedError):
        check_form("ftp://example.org", schemes=HTTP_SCHEMES)

    assert caught.value.code == "egress_refused"
    assert "this machine itself" in caught.value.message


def test_the_guard_needs_no_django() -> None:
    code = "import sys, inference.egress; sys.exit('django' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
