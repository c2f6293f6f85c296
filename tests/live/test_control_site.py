"""`manage.py up` with real runners: what is killed comes back or ends, and nothing is left."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from inference.media.ring import remove_rings
from streams.services.reaping import SHARED_MEMORY
from tests.live.site import Processes, Site, new_site, wait_until

pytestmark = pytest.mark.live


@dataclass(slots=True)
class Running:
    """A site under `up`, with one broadcast on air."""

    site: Site
    up: subprocess.Popen[bytes]
    broadcast: str

    def processes(self) -> Processes:
        """All of it: parent, web, control loop, runner, workers."""
        return Processes(self.up.pid, int(self.site.broadcast(self.broadcast)["runner_pid"]))

    def child(self, word: str) -> int:
        """The pid of the child of `up` whose command line holds a word."""
        found = [pid for pid in Processes(self.up.pid).alive if word in _command_line(pid)]
        assert len(found) == 1, found
        return found[0]


@pytest.fixture
def running() -> Iterator[Running]:
    with new_site() as site:
        site.migrate()
        up = site.manage("up")
        processes, broadcast = Processes(up.pid), "none"
        try:
            site.wait_for_web()
            site.sign_up()
            broadcast = site.start_show()
            site.wait_for_state(broadcast, "live")
            running = Running(site, up, broadcast)
            processes = running.processes()
            yield running
            processes = Processes(*processes.left(), *running.processes().left())
        finally:
            up.kill()
            up.wait()
            processes.kill_left()
            remove_rings(broadcast)  # the database that tells whose they are ends here


def test_sigterm_ends_the_broadcast_then_everything(running: Running) -> None:
    processes = running.processes()
    assert len(processes.alive) >= 4

    running.up.terminate()

    assert running.up.wait(120) == 0, running.site.log("up")
    wait_until(lambda: not processes.left(), "every process has ended")
    row = running.site.broadcast(running.broadcast)
    assert (row["state"], row["lease_epoch"]) == ("ended", 1)


@pytest.mark.long
def test_killed_parent_leaves_nothing_behind(running: Running) -> None:
    processes = running.processes()
    assert len(processes.alive) >= 4

    running.up.kill()
    running.up.wait()

    wait_until(lambda: not processes.left(), "every process has ended")
    assert not list(SHARED_MEMORY.glob(f"livestudio-{running.broadcast}-*"))


@pytest.mark.long
def test_killed_runner_is_replaced_and_continues_the_sequence(running: Running) -> None:
    first = running.site.broadcast(running.broadcast)

    os.kill(first["runner_pid"], signal.SIGKILL)

    second = running.site.wait_for_state(running.broadcast, "live", lease_epoch=2)
    assert second["runner_pid"] != first["runner_pid"]
    wait_until(
        lambda: running.site.broadcast(running.broadcast)["acknowledged_sequence"]
        > second["acknowledged_sequence"] > first["acknowledged_sequence"],
        "events go on",
    )  # fmt: skip
    rows = running.site.query("SELECT sequence FROM streams_broadcastevent ORDER BY sequence")
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))


@pytest.mark.long
@pytest.mark.parametrize("word", ["daphne", "run_control"])
def test_killed_web_or_control_loop_does_not_touch_the_runner(running: Running, word: str) -> None:
    before = running.site.broadcast(running.broadcast)

    os.kill(running.child(word), signal.SIGKILL)
    wait_until(lambda: _has_child(running, word), f"{word} is started again")
    running.site.wait_for_web()

    def has_gone_on() -> bool:
        row = running.site.broadcast(running.broadcast)
        return bool(row["acknowledged_sequence"] > before["acknowledged_sequence"] + 3)

    wait_until(has_gone_on, "events go on")
    after = running.site.broadcast(running.broadcast)
    assert (after["runner_pid"], after["lease_epoch"]) == (before["runner_pid"], 1)
    assert after["state"] == "live"


@pytest.mark.long
def test_stop_is_carried_out_by_the_runner(running: Running) -> None:
    status, _ = running.site.call("POST", f"broadcasts/{running.broadcast}/stop/", {"when": "now"})

    assert status == 202
    running.site.wait_for_state(running.broadcast, "ended")
    pid = running.site.broadcast(running.broadcast)["runner_pid"]
    wait_until(lambda: not Processes(pid).alive, "the runner has exited")
    commands = running.site.query("SELECT name, state FROM streams_controlcommand")
    assert commands == [("stop", "done")]


def test_busy_port_is_one_clear_line() -> None:
    with new_site() as site, socket.create_server(("127.0.0.1", site.port)):
        assert site.manage("up").wait(120) == 1

        lines = site.log("up").strip().splitlines()
        assert len(lines) == 1, lines
        assert f"Cannot listen on 127.0.0.1:{site.port}" in lines[0]


def test_demo_with_seconds_ends_by_itself_with_a_summary() -> None:
    with new_site() as site:
        up = site.manage("up", "--demo", SECONDS="5")
        assert up.wait(300) == 0, site.log("up")

        lines = site.log("up").strip().splitlines()
        summary = json.loads(lines[-1])
        demo = json.loads((site.folder / "demo.json").read_text())
        recording = Path(summary["recording"])
        assert summary["seconds_on_air"] >= 5
        assert summary["frames"] > 25
        assert recording.is_relative_to(site.folder / "recordings")
        assert recording.stat().st_size > 10_000
        assert (site.folder / "demo.json").stat().st_mode & 0o777 == 0o600
        assert demo["base_url"] == site.base_url
        assert demo["watch_url"].endswith(f"/watch/{demo['broadcast']}/")
        assert demo["password"]


def _has_child(running: Running, word: str) -> bool:
    return any(word in _command_line(pid) for pid in Processes(running.up.pid).alive)


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""
