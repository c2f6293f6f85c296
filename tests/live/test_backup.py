"""What docs/operate.md says of backups: its own commands save an installation and bring it back."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import pytest

from benchmarks.platform import Platform
from tests.live.site import ROOT, Processes, Site, new_site, wait_until
from tests.services import work_folder

pytestmark = [pytest.mark.live, pytest.mark.long]

PAGE = ROOT / "docs" / "operate.md"
KEY = "stream-20270331-abcdef"


def test_a_lost_installation_comes_back_from_its_backup() -> None:
    with new_site() as site, work_folder("backup") as backup:
        del site.environment["SECRET_KEY"]  # it makes and keeps its own, as a customer's does
        site.migrate()
        with _running(site):
            platform = Platform(site.base_url)
            platform.register()
            broadcast = _record_a_show(platform, site)
            _run(_commands("Embedded, while it runs:"), site, backup)
            recorded = _file_of(platform, broadcast)

        shutil.rmtree(site.folder)
        site.folder.mkdir()
        _run(_commands("**Restore**"), site, backup)
        checked = _run(_commands("Both, before the first start:"), site, backup)

        assert "nothing to mend" in checked or "mended" in checked
        with _running(site):
            again = _signed_in(site, platform.name, platform.password)
            _signed_in(site, "admin", (site.folder / "admin_password").read_text().strip())
            again.wait_for(broadcast, _is_carried_on, "carried on")
            again.stop(broadcast)
            saved = _file_of(again, broadcast)
            assert saved
            assert recorded.startswith(saved)
            assert _pictures_in(saved) > 25
        rotated = _run(".venv/bin/python manage.py rotate_keys", site, backup)
        assert re.search(r"^0 secrets were encrypted .*, [1-9]\d* already were", rotated), rotated


def _record_a_show(platform: Platform, site: Site) -> str:
    """On air and recorded for some seconds, with a stored stream key; its broadcast's id."""
    platform.make_output("rtmp://127.0.0.1:9/live", KEY)
    cues = [{"kind": "pause", "pause_seconds": 60}]
    show = platform.make_test_show(cues=cues, profile="mobile", rundown_mode="loop", record=True)
    broadcast = str(platform.call("POST", f"shows/{show}/start/", {})["id"])
    folder = site.folder / "recordings" / broadcast
    wait_until(lambda: _size(folder) > 200_000, "some seconds are recorded")
    return broadcast


def _is_carried_on(row: dict[str, Any]) -> bool:
    """It was on air in the backup; now another process has it."""
    epoch = (row["runner"] or {}).get("lease_epoch", 0)
    return bool(row["state"] == "live" and epoch > 1)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.mp4"))


def _file_of(platform: Platform, broadcast: str) -> bytes:
    """The first recording."""
    rows = platform.call("GET", f"broadcasts/{broadcast}/recordings/")["results"]
    first = min(rows, key=lambda row: str(row["started_at"]))
    return platform.download(f"recordings/{first['id']}/file/")


def _pictures_in(raw: bytes) -> int:
    with av.open(io.BytesIO(raw), "r") as container:
        return len(list(container.decode(video=0)))


def _signed_in(site: Site, name: str, password: str) -> Platform:
    platform = Platform(site.base_url)
    platform.name, platform.password = name, password
    login = {"username": name, "password": password}
    platform.access = platform.call("POST", "auth/token/", login)["access"]
    return platform


def _commands(before: str) -> str:
    """The first block of commands of the page after some words."""
    found = re.search(r"```sh\n(.*?)```", PAGE.read_text().partition(before)[2], re.DOTALL)
    assert found, before
    return found[1]


def _run(commands: str, site: Site, backup: Path) -> str:
    """What they print; their folders are those of the test."""
    commands = commands.replace("/backup", str(backup)).replace("var/", f"{site.folder}/")
    commands = commands.replace("-p var ", f"-p {site.folder} ")
    done = subprocess.run(
        ["bash", "-euc", commands.replace(".venv/bin/python", sys.executable)],
        cwd=ROOT,
        env=site.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@contextmanager
def _running(site: Site) -> Iterator[None]:
    up = site.manage("up", "--no-input")
    try:
        site.wait_for_web()
        yield
    finally:
        processes = Processes(up.pid)
        up.terminate()
        try:
            up.wait(120)
        finally:
            processes.kill_left()
