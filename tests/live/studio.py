"""A whole installation under `manage.py up`, and a customer who is signed in to it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from benchmarks.platform import Platform
from tests.live.site import Processes, Site, new_site


@dataclass(slots=True)
class Studio:
    """site: its files and processes. platform: the REST client of one customer."""

    site: Site
    up: subprocess.Popen[bytes]
    platform: Platform

    def processes(self, broadcast: str | None = None) -> Processes:
        """Everything below `up`, and the runner of a broadcast with its workers."""
        runner = self.site.broadcast(broadcast)["runner_pid"] if broadcast else None
        return Processes(self.up.pid, *([int(runner)] if runner else []))

    def is_as_new(self) -> bool:
        """Whether all its parts answer and nothing is on air."""
        sql = "SELECT COUNT(*) FROM streams_broadcast WHERE state NOT IN ('ended', 'failed')"
        is_up = self.up.poll() is None and self.site.is_ready()
        return is_up and self.site.query(sql) == [(0,)]

    def clock_jumps_ms(self, broadcast: str) -> list[int]:
        """By how much its clock jumped, each time that the machine stood still."""
        rows = self.site.query(
            "SELECT data FROM streams_broadcastevent WHERE broadcast_id = ? AND kind = ?",
            broadcast.replace("-", ""),
            "clock.rebased",
        )
        return [int(json.loads(data)["gap_ms"]) for (data,) in rows]

    def make_small_show(self, *texts: str, **values: Any) -> str:
        """A show of 640x360 with test card and test tone: little to compute, all to measure."""
        cues = [{"text": text} for text in texts or ("first",)]
        return self.platform.make_test_show(cues=cues, profile="mobile", **values)


@contextmanager
def open_studio(**environment: str) -> Iterator[Studio]:
    """An installation of its own; every process of it has ended afterwards."""
    with new_site() as site:
        site.migrate()
        up = site.manage("up", "--no-input", **environment)
        try:
            site.wait_for_web()
            platform = Platform(site.base_url)
            platform.register()
            yield Studio(site, up, platform)
        finally:
            _end(site, up)


class Parts:
    """Web and control loop without `up`: the web can be restarted, or be dialled by a proxy."""

    def __init__(self, site: Site, web: subprocess.Popen[bytes]) -> None:
        self.site = site
        self.web = web

    def restart_web(self) -> None:
        """kill -9, and another one at the same address."""
        self.web.kill()
        self.web.wait()
        self.web = self.site.start_web()


@contextmanager
def open_parts(
    *, link_port: Callable[[int], int] = int, control: Mapping[str, str] = MappingProxyType({})
) -> Iterator[tuple[Studio, Parts]]:
    """An installation in parts; every process of it has ended afterwards.

    link_port: from the web's port to the one that runners dial. control: its program or variables.
    """
    with new_site() as site:
        site.migrate()
        parts = Parts(site, site.start_web())
        control = site.manage("run_control", PORT=str(link_port(site.port)), **control)
        try:
            platform = Platform(site.base_url)
            platform.register()
            yield Studio(site, control, platform), parts
        finally:
            _end(site, control)
            parts.web.kill()
            parts.web.wait()


def _end(site: Site, up: subprocess.Popen[bytes]) -> None:
    processes = Processes(up.pid, *_runners(site))
    up.terminate()
    try:
        up.wait(90)
    except subprocess.TimeoutExpired:
        up.kill()
        up.wait()
    finally:
        processes.kill_left()


def _runners(site: Site) -> list[int]:
    if not (site.folder / "livestudio.sqlite3").exists():
        return []
    rows = site.query("SELECT runner_pid FROM streams_broadcast WHERE runner_pid IS NOT NULL")
    return [int(row[0]) for row in rows]
