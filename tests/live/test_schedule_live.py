"""A planned airing with real processes: it starts by itself, joins where it would be, and ends."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from inference.media.ring import remove_rings
from tests.live.site import Processes, Site, new_site, wait_until

pytestmark = [pytest.mark.live, pytest.mark.long]

# The second line is due 18 seconds after the start, the first of the next round after 42.
CUES = [
    {"text": "第一句话稍微长一点。"},
    {"kind": "pause", "pause_seconds": 15},
    {"text": "第二句话也不短。"},
    {"kind": "pause", "pause_seconds": 20},
]


@pytest.fixture
def site() -> Any:
    with new_site() as site:
        yield site


def up(site: Site) -> subprocess.Popen[bytes]:
    process = site.manage("up")
    site.wait_for_web()
    return process


def end(process: subprocess.Popen[bytes], processes: Processes) -> None:
    process.terminate()
    try:
        process.wait(60)
    finally:
        process.kill()
        processes.kill_left()


def planned_show(site: Site, start: datetime) -> dict[str, Any]:
    """Loops, lasts one minute from its planned start, and joins when it is late."""
    _, avatars = site.call("GET", "avatars/")
    _, voices = site.call("GET", "voices/")
    status, show = site.call("POST", "shows/", {
        "title": "Planned", "avatar": avatars["results"][0]["id"],
        "voice": voices["results"][0]["id"], "profile": "mobile", "rundown_mode": "loop",
        "ends": "after_duration", "duration_minutes": 1, "cues": CUES,
        "schedule": {
            "starts_at_local": start.replace(tzinfo=None).isoformat(), "timezone": "UTC",
            "catch_up": "join",
        },
    })  # fmt: skip
    assert status == 201, show
    assert show["warnings"] == []
    return dict(show)


def occurrence_of(site: Site, show: dict[str, Any], start: datetime) -> dict[str, Any] | None:
    """None: behind a downtime, before the control loop has looked at what was due."""
    since = (start - timedelta(minutes=1)).isoformat().replace("+00:00", "Z")
    _, answer = site.call("GET", f"shows/{show['id']}/occurrences/?from={since}")
    rows = answer["results"]
    assert len(rows) < 2
    return rows[0] if rows else None


def seconds_between(first: Any, last: Any) -> float:
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()


def run_to_its_end(site: Site, show: dict[str, Any], start: datetime) -> dict[str, Any]:
    """Wait for the airing to begin by itself and to end; its broadcast as the API tells it."""
    row = wait_until(
        lambda: (item := occurrence_of(site, show, start)) and item["broadcast"] and item,
        "it starts",
    )
    assert row["state"] == "started"
    broadcast = f"broadcasts/{row['broadcast']}/"
    ended: Callable[[], Any] = lambda: (  # noqa: E731 - a condition of one line
        (item := site.call("GET", broadcast)[1])["state"] == "ended" and item
    )
    try:
        return dict(wait_until(ended, "it ends", seconds=120))
    finally:
        remove_rings(row["broadcast"])


def script_of(site: Site, broadcast: dict[str, Any]) -> list[dict[str, Any]]:
    _, answer = site.call("GET", f"broadcasts/{broadcast['id']}/utterances/")
    return [item for item in reversed(answer["results"]) if item["source"] == "script"]


def test_planned_show_starts_by_itself_and_ends_at_a_sentence_end(site: Site) -> None:
    process = up(site)
    processes = Processes(process.pid)
    try:
        site.sign_up()
        start = (datetime.now(UTC) + timedelta(seconds=4)).replace(microsecond=0)
        show = planned_show(site, start)

        broadcast = run_to_its_end(site, show, start)

        said = script_of(site, broadcast)
        assert seconds_between(start.isoformat(), broadcast["started_at"]) < 5
        assert 60 <= seconds_between(broadcast["first_frame_at"], broadcast["ended_at"]) < 75
        assert broadcast["reason"] == "the planned duration has passed"
        assert {item["state"] for item in said} == {"said"}
        assert [item["loop"] for item in said[:3]] == [0, 0, 1]
    finally:
        end(process, Processes(process.pid, *processes.alive))


def test_show_that_comes_late_joins_and_ends_when_it_would_have(site: Site) -> None:
    process = up(site)
    try:
        site.sign_up()
        start = (datetime.now(UTC) + timedelta(seconds=5)).replace(microsecond=0)
        show = planned_show(site, start)
    finally:
        # Before its hour nothing but the web side is at work, and that ends with `up`.
        end(process, Processes(process.pid))
    late = start + timedelta(seconds=22)
    wait_until(lambda: datetime.now(UTC) > late, "it is late")

    process = up(site)
    processes = Processes(process.pid)
    try:
        broadcast = run_to_its_end(site, show, start)

        said = script_of(site, broadcast)
        assert (said[0]["cue"], said[0]["loop"]) != (show["cues"][0]["id"], 0)
        assert 58 <= seconds_between(start.isoformat(), broadcast["ended_at"]) < 75
        assert {item["state"] for item in said} == {"said"}
    finally:
        end(process, Processes(process.pid, *processes.alive))
