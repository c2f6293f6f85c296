"""A quota runs out on air: the sentence is said whole, then the closing line, then it is over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.inference.speech.openai_speech.server import TOKENS, Server, serve
from tests.live.site import Site, wait_until
from tests.live.studio import Studio, open_studio

pytestmark = pytest.mark.long

LEFT_SECONDS = 24
TOKENS_LIMIT = 5 * TOKENS
CLOSING = "That is all for today."
PLAN = f"""
from django.utils import timezone
from accounts.models import Organization
from accounts.roles import SYSTEM
from metering.models import Plan
from metering.services import plans
from metering.services.counting import Holder, count
plan = Plan.objects.create(name="Small")
plans.set_plan_limits(plan=plan, limits=LIMITS, actor=SYSTEM)
for organization in Organization.objects.all():
    plans.assign_plan(organization=organization, plan=plan, actor=SYSTEM)
    plans.set_closing(
        organization=organization, values={{"closing_line_en": {CLOSING!r}}}, actor=SYSTEM
    )
"""
MINUTES = f"""
    used = 60 - {LEFT_SECONDS}
    count(Holder(organization.pk, "earlier"), "broadcast_minutes", used, now=timezone.now())
"""


@pytest.fixture
def studio() -> Iterator[Studio]:
    """Its own: every customer of it gets the small plan."""
    with open_studio() as studio:
        yield studio


def run_python(site: Site, code: str) -> None:
    assert site.manage("shell", "-c", code).wait(240) == 0, site.log("shell")


def events(site: Site, broadcast: str) -> list[tuple[str, Any]]:
    sql = "SELECT kind, data FROM streams_broadcastevent WHERE broadcast_id = ? ORDER BY sequence"
    return [(kind, json.loads(data)) for kind, data in site.query(sql, broadcast.replace("-", ""))]


def counter(site: Site, broadcast: str, meter: str) -> tuple[int, int]:
    """Used and reserved of the organization; a test may run over midnight."""
    sql = (
        "SELECT SUM(used), SUM(reserved) FROM metering_counter WHERE meter = ? AND"
        " organization_id = (SELECT organization_id FROM streams_broadcast WHERE id = ?)"
    )
    used, reserved = site.query(sql, meter, broadcast.replace("-", ""))[0]
    return int(used), int(reserved)


def test_minutes_that_run_out_end_a_show_behind_a_whole_sentence(studio: Studio) -> None:
    platform, site = studio.platform, studio.site
    run_python(site, f"LIMITS = {{'broadcast_minutes': 1}}{PLAN}{MINUTES}")
    show = studio.make_small_show(
        "one. two. three.", rundown_mode="loop", ends="manual", language="en-US"
    )
    broadcast = str(platform.call("POST", f"shows/{show}/start/", {})["id"])

    wait_until(lambda: platform.broadcast(broadcast)["state"] == "ended", "the end", seconds=240)

    row = platform.broadcast(broadcast)
    assert row["reason"] == "quota_minutes"
    lines = platform.utterances(broadcast)
    assert [line["state"] for line in lines] == ["said"] * len(lines)
    assert all(line["played_ms"] == line["duration_ms"] for line in lines)
    assert [line["text"] for line in lines].index(CLOSING) == len(lines) - 1
    assert lines[-2]["source"] == "script"
    told = events(site, broadcast)
    kinds = [kind for kind, _ in told]
    assert kinds.count("quota.reached") == 1
    reached = next(data for kind, data in told if kind == "quota.reached")
    assert (reached["meter"], reached["limit"]) == ("broadcast_minutes", 1.0)
    stopping = next(data for kind, data in told if data.get("state") == "stopping")
    assert stopping["reason"] == "quota_minutes"
    used, reserved = counter(site, broadcast, "broadcast_minutes")
    assert reserved == 0
    assert 60 - LEFT_SECONDS < used <= 60
    characters = sum(data["characters"] for kind, data in told if kind == "speech.made")
    assert counter(site, broadcast, "builtin_tts_characters") == (characters, 0)
    status, refused = platform._request("POST", f"shows/{show}/start/", {})
    assert (status, refused["error"]["code"]) == (409, "quota_exceeded")
    assert refused["error"]["data"]["meter"] == "broadcast_minutes"


def test_tokens_that_run_out_end_a_show_behind_a_whole_sentence(studio: Studio) -> None:
    platform, site = studio.platform, studio.site
    run_python(site, f"LIMITS = {{'llm_tokens': {TOKENS_LIMIT}}}{PLAN}")
    with serve(Server()) as server:
        settings = {"base_url": server.base_url, "stream_format": "sse"}
        voice = platform.make_voice("openai_speech", "en-US", **settings)
        numbers = " ".join(f"This is the sentence of number {number}." for number in range(1, 21))
        show = studio.make_small_show(numbers, voice=voice, ends="manual", language="en-US")
        broadcast = str(platform.call("POST", f"shows/{show}/start/", {})["id"])
        wait_until(lambda: platform.broadcast(broadcast)["state"] == "ended", "the end")
        asked = len(server.bodies)

    assert platform.broadcast(broadcast)["reason"] == "quota_llm_tokens"
    lines = platform.utterances(broadcast)
    assert [line["state"] for line in lines] == ["said"] * len(lines)
    assert lines[-1]["text"] == CLOSING
    told = events(site, broadcast)
    made = [data["tokens"] for kind, data in told if kind == "speech.made"]
    assert made == [TOKENS] * len(made)
    # What the server was asked for to the end is counted, and is over by what was in the making.
    assert counter(site, broadcast, "llm_tokens") == (sum(made), 0)
    assert TOKENS_LIMIT <= sum(made) <= asked * TOKENS
    assert len(made) <= 5 + 5
    levels = [kind for kind, data in told if data.get("meter") == "llm_tokens"]
    assert levels == ["quota.warning", "quota.reached"]
    status, refused = platform._request("POST", f"shows/{show}/start/", {})
    assert (status, refused["error"]["data"]["meter"]) == (409, "llm_tokens")
