"""The runner link against a real web server that is killed again and again."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from inference.protocol import Command, Json
from inference.runner.journal import CommandJournal
from inference.runner.link import LinkHandlers, RunnerLink
from inference.runner.outbox import Outbox
from inference.tokens import make_run_token
from tests.live.site import Site, new_site

pytestmark = [pytest.mark.live, pytest.mark.long]

EVENTS = 1500
KILLS = 3


async def ignore(command: Command) -> Json | None:
    return None


async def tell_events(site: Site, broadcast: str, folder: Path) -> int:
    """Emit EVENTS at about 200 a second while web is killed KILLS times; how often it redialled."""
    outbox = Outbox(folder)
    token = make_run_token(broadcast, 1)
    link = RunnerLink(site.base_url, broadcast, 1, token, outbox, journal=CommandJournal(folder))
    await link.connect_first()
    stale: list[str] = []
    task = asyncio.create_task(link.run(LinkHandlers(ignore, stale.append)))
    for number in range(EVENTS):
        link.emit("cursor", {"cue": "a", "sentence": number, "loop": 0})
        await asyncio.sleep(0.005)
    assert await link.drain(60)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    outbox.close()
    assert stale == []
    return link.reconnects


async def kill_web_often(site: Site) -> subprocess.Popen[bytes]:
    """The web server that stays, after KILLS that did not."""
    for _ in range(KILLS):
        web = await asyncio.to_thread(site.start_web)
        await asyncio.sleep(1.5)
        web.kill()
        await asyncio.to_thread(web.wait)
    return await asyncio.to_thread(site.start_web)


async def test_every_event_is_stored_exactly_once_however_often_web_is_killed() -> None:
    with new_site() as site:
        await asyncio.to_thread(site.migrate)
        first = await asyncio.to_thread(site.start_web)
        await asyncio.to_thread(site.sign_up)
        broadcast = await asyncio.to_thread(site.start_show)
        site.query("UPDATE streams_broadcast SET lease_epoch = 1")
        first.kill()
        first.wait()

        killer = asyncio.create_task(kill_web_often(site))
        try:
            reconnects = await tell_events(site, broadcast, site.folder / "run")
        finally:
            last = await killer
            last.kill()
            last.wait()

        rows = site.query("SELECT sequence, data FROM streams_broadcastevent ORDER BY sequence")
        assert [row[0] for row in rows] == list(range(1, EVENTS + 1))
        assert reconnects >= KILLS - 1
        assert site.broadcast(broadcast)["acknowledged_sequence"] == EVENTS
