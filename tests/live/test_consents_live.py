"""A consent is revoked on air: pictures stop within ten seconds, of a runner that hangs too."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.live.airings import is_alive
from tests.live.site import wait_until
from tests.live.studio import Studio
from tests.services import RtmpServer

pytestmark = pytest.mark.long

PROMISED_SECONDS = 10.0
PARTS = 5


def start_with(studio: Studio, consent: str, push_url: str, key: str) -> str:
    """A broadcast on air, pushed and recorded, whose presenter stands on the consent."""
    platform = studio.platform
    show = studio.make_small_show(
        "one. two. three.", rundown_mode="loop", ends="manual", record=True,
        output=platform.make_output(push_url, key),
    )  # fmt: skip
    avatar = platform.call("GET", f"shows/{show}/")["avatar"]
    platform.call("PATCH", f"avatars/{avatar}/", {"consent": consent})
    return str(platform.call("POST", f"shows/{show}/start/", {})["id"])


def all_processes(studio: Studio, broadcast: str) -> list[int]:
    """Runner, voice, face, pusher and recorder, as soon as all are told."""
    return list(
        wait_until(
            lambda: len(found := studio.platform.processes(broadcast)) >= PARTS and found,
            "all parts are told",
        )
    )


def state_of(studio: Studio, broadcast: str) -> str:
    return str(studio.platform.broadcast(broadcast)["state"])


def test_revocation_ends_broadcasts_within_ten_seconds_even_one_that_hangs(
    studio: Studio, rtmp_server: RtmpServer
) -> None:
    platform = studio.platform
    person = {"subject": "Lin Xia", "scope": "face"}
    consent = str(platform.call("POST", "consents/", person)["id"])
    well, hung = (
        start_with(studio, consent, rtmp_server.push_url, f"consent-{name}")
        for name in ("well", "hung")
    )
    for broadcast in (well, hung):
        platform.wait_for(broadcast, lambda row: row["outputs"][0]["state"] == "live", "pushed")
    pids = [pid for broadcast in (well, hung) for pid in all_processes(studio, broadcast)]
    os.kill(int(platform.broadcast(hung)["runner"]["pid"]), signal.SIGSTOP)

    began = time.monotonic()
    platform.call("POST", f"consents/{consent}/revoke/", {"reason": "she asked"})
    wait_until(lambda: {state_of(studio, row) for row in (well, hung)} == {"ended"}, "both end")
    wait_until(lambda: not any(map(is_alive, pids)), "nothing of them runs")
    seconds = time.monotonic() - began

    assert seconds < PROMISED_SECONDS
    reasons = [platform.broadcast(row)["reason"] for row in (well, hung)]
    assert all(reason.startswith("The consent of Lin Xia for ") for reason in reasons), reasons
