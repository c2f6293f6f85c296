"""Ten broadcasts on MariaDB and Redis while each server dies: nothing is lost, nothing doubled."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

import pytest
from django.conf import settings

from benchmarks.figures import BenchmarkError
from benchmarks.platform import Platform
from tests.live.cluster import Cluster
from tests.live.site import wait_until
from tests.services import (
    Restartable,
    restartable_mariadb,
    restartable_redis,
    work_folder,
)

pytestmark = [pytest.mark.live, pytest.mark.long]

BROADCASTS = 10
# A second and a half each: longer than all the killing takes on two busy cores.
TEXTS = tuple(f"Sentence number {number}." for number in range(1, 61))
DEAD_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that can die here."""

    cluster: Cluster
    database: Restartable
    redis: Restartable


@pytest.fixture
def site() -> Iterator[Site]:
    with ExitStack() as stack:
        database, database_url = stack.enter_context(restartable_mariadb())
        redis, redis_url = stack.enter_context(restartable_redis())
        cluster = Cluster(
            stack.enter_context(work_folder("chaos")),
            DATABASE_URL=database_url,
            REDIS_URL=redis_url,
            BROADCASTS_AT_ONCE=str(BROADCASTS),
            SECRET_KEY=settings.SECRET_KEY,
        )
        stack.callback(cluster.close)
        cluster.migrate()
        cluster.start_webs()
        cluster.control = cluster.manage("run_control")
        yield Site(cluster, database, redis)


def test_death_of_each_server_loses_and_doubles_nothing(site: Site) -> None:
    cluster = site.cluster
    first = Platform(f"http://127.0.0.1:{cluster.web_ports[0]}")
    first.register()
    broadcasts = start_broadcasts(first)
    runners = {key: first.broadcast(key)["runner"]["pid"] for key in broadcasts}

    for kill in (kill_redis, kill_database, kill_web):
        said = sum(map(len, said_by(first, broadcasts).values()))
        kill(site)
        wait_until_well(first, broadcasts[0], kill.__name__)
        # Without a word from its runner for a while a broadcast is `recovering`; it stays on air.
        wait_until(lambda: states_of(first, broadcasts) == {"live"}, f"all live, {kill.__name__}")
        wait_until(
            lambda said=said: sum(map(len, said_by(first, broadcasts).values())) > said,
            "the transcript goes on",
        )

    for key in broadcasts:
        wait_until(
            lambda key=key: first.broadcast(key)["state"] in ("ended", "failed"),
            "the end of each show",
            seconds=240,
        )
    for key, texts in said_by(first, broadcasts).items():
        row = first.broadcast(key)
        assert (row["state"], row["runner"]["pid"]) == ("ended", runners[key]), row["reason"]
        assert row["runner"]["lease_epoch"] == 1
        assert texts == list(TEXTS)
        sequences = sorted(event["sequence"] for event in events_of(first, key))
        assert sequences == list(range(1, len(sequences) + 1))


def start_broadcasts(platform: Platform) -> list[str]:
    """Ten small shows that have begun to speak."""
    voice = platform.make_voice("testtone", seconds=1.2)
    cues = [{"text": text} for text in TEXTS]
    broadcasts = []
    for _ in range(BROADCASTS):
        show = platform.make_test_show(
            voice=voice, cues=cues, profile="mobile", ends="after_rundown"
        )
        broadcasts.append(str(platform.call("POST", f"shows/{show}/start/", {})["id"]))
    for key in broadcasts:
        platform.wait_for(key, lambda row: row["state"] == "live", "live", seconds=120)
    return broadcasts


def kill_redis(site: Site) -> None:
    """The doorbell and the shared cache."""
    site.redis.kill()
    time.sleep(DEAD_SECONDS)
    site.redis.start()


def kill_database(site: Site) -> None:
    """The truth; what was committed is on its disk."""
    site.database.kill()
    time.sleep(DEAD_SECONDS)
    site.database.start()


def kill_web(site: Site) -> None:
    """The one that all runners have dialled."""
    port = site.cluster.web_ports[0]
    site.cluster.webs[port].kill()
    site.cluster.webs[port].wait()
    time.sleep(DEAD_SECONDS)
    site.cluster.start_web_at(port)


def wait_until_well(platform: Platform, broadcast: str, after: str) -> None:
    """Until the API answers a reader; what it answered last is told if it never does."""
    last: list[str] = []

    def is_well() -> bool:
        try:
            platform.broadcast(broadcast)
        except (OSError, ValueError, HTTPException, BenchmarkError) as error:
            last[:] = [str(error)]
            return False
        return True

    try:
        wait_until(is_well, f"the API answers again after {after}")
    except AssertionError as error:
        raise AssertionError(f"{error}; {last}") from error


def states_of(platform: Platform, broadcasts: list[str]) -> set[str]:
    """The states that any of the broadcasts is in."""
    return {str(platform.broadcast(key)["state"]) for key in broadcasts}


def said_by(platform: Platform, broadcasts: list[str]) -> dict[str, list[str]]:
    """What each broadcast has said, in the order of media time."""
    return {
        key: [row["text"] for row in platform.utterances(key) if row["state"] == "said"]
        for key in broadcasts
    }


def events_of(platform: Platform, broadcast: str) -> list[dict[str, Any]]:
    """All events of a broadcast."""
    rows: list[dict[str, Any]] = []
    path: str | None = f"broadcasts/{broadcast}/events/"
    while path:
        page = platform.call("GET", path)
        rows += page["results"]
        path = page["next"] and page["next"].split("/api/v1/")[1]
    return rows
