"""Viewers whose network lets nothing through but TURN, by a real coturn."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.live.studio import Studio, open_studio
from tests.live.viewing import open_page, wait_for_playing
from tests.services import TurnServer

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def studio(turn_server: TurnServer) -> Iterator[Studio]:
    servers = [{"urls": [turn_server.url], "secret": turn_server.secret}]
    with open_studio(ICE_SERVERS=json.dumps(servers)) as studio:
        yield studio


def test_show_plays_through_the_relay_alone(
    studio: Studio, browser: Browser, turn_server: TurnServer
) -> None:
    with studio.platform.on_air(studio.make_small_show(rundown_mode="loop")) as broadcast:
        url = studio.platform.broadcast(broadcast)["watch_url"]
        page = open_page(browser, url, relay_only=True)
        page.get_by_test_id("turn-on-sound").click()
        played = wait_for_playing(
            page, lambda now: now.frames >= 50 and now.sound_energy > 0, "picture and sound"
        )
        page.close()

    assert played.route[0] == "relay"


def test_shared_secret_reaches_no_browser(studio: Studio, turn_server: TurnServer) -> None:
    show = studio.make_small_show()
    with studio.platform.on_air(show) as broadcast:
        ticket = studio.platform.call(
            "POST", "ws-tickets/", {"purpose": "watch", "broadcast": broadcast}
        )

    (server,) = ticket["ice_servers"]
    assert set(server) == {"urls", "username", "credential"}
    assert turn_server.secret not in json.dumps(ticket)
