"""A network that carries nothing any more, under three live broadcasts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.live.airings import Airing, is_alive, three_airings
from tests.live.proxy import Proxy
from tests.live.site import wait_until
from tests.live.studio import Studio, open_parts
from tests.services import RtmpServer

pytestmark = [pytest.mark.live, pytest.mark.long]

LONG_SHOW = 24


def test_output_whose_network_is_cut_says_so_and_comes_back(
    studio: Studio, rtmp_server: RtmpServer
) -> None:
    with Proxy(rtmp_server.port) as proxy:
        url = f"rtmp://127.0.0.1:{proxy.port}/live"
        with three_airings(
            studio, rtmp_server, "cut-rtmp", push_urls=[url], sentences=LONG_SHOW
        ) as airings:
            runners = [airing.pid("runner") for airing in airings]
            hurt, *others = airings
            proxy.freeze()
            output = _wait_for_output(hurt, "retrying")
            assert "no data" in output["reason"]
            proxy.thaw()
            count = len(hurt.reader.recorded.pictures)
            _wait_for_output(hurt, "live")
            wait_until(lambda: len(hurt.reader.recorded.pictures) > count + 30, "it is seen again")
            for airing in airings:
                airing.wait_for_end()

            assert hurt.row["runner"]["lease_epoch"] == 1
            assert hurt.heard()[-1] == hurt.heard()[0] + LONG_SHOW - 1
            hurt.check_transcript()
            for airing, runner in zip(others, runners[1:], strict=True):
                airing.check_untouched(runner=runner)


def test_link_that_is_cut_for_a_while_is_not_seen_on_air(rtmp_server: RtmpServer) -> None:
    with (
        _studio_behind_proxy() as (studio, proxy),
        three_airings(studio, rtmp_server, "cut-link", sentences=LONG_SHOW) as airings,
    ):
        runners = [airing.pid("runner") for airing in airings]
        before = proxy.accepted
        proxy.freeze()
        # Each link waits 10 s for a word, then dials again and again.
        wait_until(lambda: proxy.accepted >= before + 3, "all three dial again")
        proxy.thaw()
        for airing in airings:
            airing.wait_for_end()

        for airing, runner in zip(airings, runners, strict=True):
            airing.check_untouched(runner=runner)


def test_broadcast_whose_link_never_comes_back_ends_with_a_whole_transcript(
    rtmp_server: RtmpServer,
) -> None:
    with (
        _studio_behind_proxy() as (studio, proxy),
        three_airings(studio, rtmp_server, "cut-for-good") as airings,
    ):
        runners = [airing.pid("runner") for airing in airings]
        proxy.freeze()
        wait_until(lambda: not any(map(is_alive, runners)), "the runners have ended", seconds=120)
        for airing in airings:
            airing.wait_for_end()

        for airing, runner in zip(airings, runners, strict=True):
            airing.check_untouched(runner=runner)


@contextmanager
def _studio_behind_proxy() -> Iterator[tuple[Studio, Proxy]]:
    """A studio whose runners dial the web through a proxy."""
    proxies: list[Proxy] = []

    def link_port(web_port: int) -> int:
        proxies.append(Proxy(web_port))
        return proxies[0].port

    with open_parts(link_port=link_port) as (studio, _), proxies[0] as proxy:
        yield studio, proxy


def _wait_for_output(airing: Airing, state: str) -> dict[str, str]:
    def found() -> dict[str, str] | None:
        (output,) = airing.row["outputs"]
        return output if output["state"] == state else None

    found_output: dict[str, str] = wait_until(found, f"the output is {state}", seconds=90)
    return found_output
