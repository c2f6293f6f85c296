"""docker-compose.yml brought up with the images of the Dockerfile, and used as documented."""

from __future__ import annotations

import asyncio
import base64
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import aiohttp
import pytest

from benchmarks.platform import Platform
from scripts.provision.steps import say
from tests.deploy.composition import Composition
from tests.deploy.conftest import Built
from tests.inference.runner.viewer_peer import Peer, eventually
from tests.live.site import wait_until
from tests.live.test_production import LINE, check_recording, console, make_real_show, told
from tests.services import work_folder

pytestmark = pytest.mark.long

SITE: Final = "https://localhost"
PASSWORD: Final = secrets.token_urlsafe(16)
VARIABLES: Final = {
    "SECRET_KEY": secrets.token_urlsafe(64),
    "FIELD_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    "DATABASE_PASSWORD": secrets.token_urlsafe(16),
    "DATABASE_ROOT_PASSWORD": secrets.token_urlsafe(16),
    "SERVER_NAME": "localhost",
}


@pytest.fixture(scope="module")
def composition(built: Built) -> Iterator[Composition]:
    """All services up; this process is where nginx is, and sees what nginx sees."""
    images = {"web": built.web, "runner": built.runner}
    with work_folder("compose") as folder:
        composition = Composition(built.root, folder / "c", images, VARIABLES)
        started = time.monotonic()
        try:
            composition.up()
            say(f"  all services up after {time.monotonic() - started:.0f} s")
            with composition.network.inside("nginx"):
                yield composition
        finally:
            composition.close()


@pytest.fixture(scope="module")
def tls(built: Built) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(built.root / "deploy" / "tls" / "tls.pem"))


@pytest.fixture(scope="module")
def platform(composition: Composition, tls: ssl.SSLContext) -> Platform:
    """The first user, made as docs/operate.md says."""
    platform = Platform(SITE, tls=tls)
    person = [f"DJANGO_SUPERUSER_PASSWORD={PASSWORD}", "python", "manage.py", "createsuperuser"]
    person += ["--noinput", "--username", platform.name, "--email", "a@example.org"]
    done = composition.containers["web1"].execute("env", *person)
    assert done.returncode == 0, done.stdout + done.stderr
    platform.password = PASSWORD
    login = {"username": platform.name, "password": PASSWORD}
    platform.access = platform.call("POST", "auth/token/", login)["access"]
    return platform


@pytest.fixture(scope="module")
def broadcast(platform: Platform) -> str:
    """A show on air."""
    show = make_real_show(platform)
    return str(platform.call("POST", f"shows/{show}/start/", {})["id"])


@asynccontextmanager
async def visiting(tls: ssl.SSLContext) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(ssl=tls)
    async with aiohttp.ClientSession(SITE, connector=connector) as session:
        yield session


def wait_until_live(platform: Platform, broadcast: str, *, epoch: int = 1) -> None:
    platform.wait_for(
        broadcast,
        lambda row: row["state"] == "live" and row["runner"]["lease_epoch"] >= epoch,
        f"live in epoch {epoch}",
    )


def test_tables_are_made_and_the_settings_are_fit_to_be_deployed(composition: Composition) -> None:
    told = composition.containers["migrate"].output()

    assert "System check identified no issues" in told, told[-2000:]


@pytest.mark.parametrize("name", ["web1", "web2"])
def test_web_processes_are_healthy_and_ready(composition: Composition, name: str) -> None:
    composition.wait_until_healthy(name)
    ask = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8000/readyz').read())"
    container = composition.containers[name]

    # Not before the control loop has been seen.
    told = wait_until(lambda: container.execute("python", "-c", ask).stdout, f"{name} is ready")
    assert '"database"' in told


def test_processes_that_nobody_waits_for_are_gone(composition: Composition) -> None:
    container = composition.containers["control"]
    assert container.execute("sh", "-c", "(sleep 0.1 &)").returncode == 0
    states = "cat /proc/[0-9]*/stat"

    wait_until(lambda: "(sleep)" not in container.execute("sh", "-c", states).stdout, "it is gone")


def test_nothing_runs_as_root_or_may_become_root(composition: Composition) -> None:
    for name in ("web1", "web2", "control"):
        status = composition.containers[name].execute(
            "grep", "-hE", "^(Uid|CapEff)", "/proc/1/status"
        )
        assert status.stdout.split() == ["Uid:", *["10001"] * 4, "CapEff:", "0" * 16], name


async def test_nginx_serves_the_built_studio_and_the_admin(
    composition: Composition, tls: ssl.SSLContext
) -> None:
    async with visiting(tls) as visitor:
        for page in ("/studio/", "/admin/login/"):
            async with visitor.get(page) as answer:
                text = await answer.text()
                assert answer.status == 200, text[:500]
            files = [part.partition('"')[0] for part in text.split('"/static/')[1:]]
            assert files
            for name in files:
                async with visitor.get(f"/static/{name}") as file:
                    assert file.status == 200, name


async def test_a_show_goes_on_air_is_seen_steered_and_recorded(
    composition: Composition, platform: Platform, broadcast: str, tls: ssl.SSLContext
) -> None:
    await asyncio.to_thread(wait_until_live, platform, broadcast)
    async with visiting(tls) as visitor:
        peer = Peer()
        path, sdp = f"/api/v1/broadcasts/{broadcast}/whep/", {"Content-Type": "application/sdp"}
        async with visitor.post(path, data=await peer.offer(), headers=sdp) as answer:
            assert answer.status == 201, await answer.text()
            await peer.accept(await answer.text())
        async with console(visitor, platform, broadcast) as socket:
            await steer_once(socket, LINE)
            await eventually(lambda: len(peer.pictures) > 15 and peer.sounds > 25, "it plays")
        await peer.close()
        await check_recording(visitor, platform, broadcast)


async def steer_once(socket: aiohttp.ClientWebSocketResponse, line: str) -> None:
    """A line is said at once, and told as said."""
    # What has the id of an earlier command is that command sent again.
    say = {"type": "command", "id": line, "name": "say", "args": {"text": line, "interrupt": True}}
    await socket.send_json(say)
    result = await told(socket, lambda message: message["type"] == "result")
    assert result["ok"], result
    await told(
        socket,
        lambda m: m["type"] == "utterance" and m.get("text") == line and m["state"] == "said",
    )


@pytest.mark.parametrize(("restarted", "other"), [("web1", "web2"), ("web2", "web1")])
async def test_a_restart_of_one_web_process_is_not_seen_at_the_other(
    composition: Composition,
    platform: Platform,
    broadcast: str,
    restarted: str,
    other: str,
) -> None:
    async with at(composition, other) as visitor, console(visitor, platform, broadcast) as socket:
        container = composition.containers[restarted]
        assert await asyncio.to_thread(container.stop, composition.grace_seconds(restarted)) == 0
        # nginx finds the one that is left.
        row = await asyncio.to_thread(platform.broadcast, broadcast)
        assert (row["state"], row["runner"]["lease_epoch"]) == ("live", 1)
        await asyncio.to_thread(container.start)
        await asyncio.to_thread(composition.wait_until_healthy, restarted)
        await steer_once(socket, f"{restarted}已经重启。")


@asynccontextmanager
async def at(composition: Composition, name: str) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of one web process, as nginx would pass it on."""
    headers = {"Host": "localhost", "X-Forwarded-Proto": "https"}
    url = f"http://{composition.network.addresses[name]}:8000"
    async with aiohttp.ClientSession(url, headers=headers) as session:
        yield session


def test_a_web_process_made_anew_is_found_where_it_was(
    composition: Composition, platform: Platform, broadcast: str
) -> None:
    composition.recreate("web2")
    composition.wait_until_healthy("web2")
    composition.containers["web1"].stop(composition.grace_seconds("web1"))

    assert platform.broadcast(broadcast)["state"] == "live"
    composition.containers["web1"].start()
    composition.wait_until_healthy("web1")


def test_a_control_loop_made_anew_brings_its_show_back(
    composition: Composition, platform: Platform, broadcast: str
) -> None:
    composition.recreate("control")
    wait_until_live(platform, broadcast, epoch=2)
    platform.stop(broadcast)


def test_the_runner_image_puts_a_broadcast_on_air(
    composition: Composition, built: Built, platform: Platform, tmp_path: Path
) -> None:
    composition.containers["control"].stop(composition.grace_seconds("control"))
    show = make_real_show(platform)
    broadcast = str(platform.call("POST", f"shows/{show}/start/", {})["id"])
    launched = composition.containers["web1"].execute(
        "env", "HOST=web1", "python", "manage.py", "shell", "-v", "0", "-c", LAUNCH
    )
    assert launched.returncode == 0, launched.stderr
    entry = tmp_path / "entry"
    entry.write_text(launched.stdout)

    runner = composition.runner(built.runner, "runner", entry)
    wait_until_live(platform, broadcast)
    status = runner.execute("grep", "-hE", "^(Uid|CapEff)", "/proc/1/status")
    wait_until(lambda: len(platform.utterances(broadcast)) > 1, "it speaks", seconds=60)
    platform.call("POST", f"broadcasts/{broadcast}/stop/", {"when": "now"})

    assert status.stdout.split() == ["Uid:", *["10001"] * 4, "CapEff:", "0" * 16]
    assert runner.process.wait(60) == 0, runner.output()[-2000:]
    wait_until(lambda: platform.broadcast(broadcast)["state"] == "ended", "it is over", seconds=30)
    texts = [row["text"] for row in platform.utterances(broadcast) if row["state"] == "said"]
    assert "大家好。" in texts


# What a launcher of another machine does: it claims what is due, and hands over the document.
LAUNCH: Final = """
import json
from dataclasses import asdict
from pathlib import Path
from streams.services.launching import launch_due
class Launcher:
    name = "local"
    def start(self, request, record):
        Path(request.run_folder).mkdir(parents=True)
        record({"host": "runner", "boot": "", "pid": 1, "started": 0})
        print(json.dumps(asdict(request)))
assert launch_due(Launcher()) == 1
"""


def test_no_log_holds_a_secret(composition: Composition) -> None:
    logs = "".join(container.output() for container in composition.containers.values())
    logs += (composition.folder / "nginx" / "access.log").read_text()

    assert "/api/v1/" in logs
    for secret in (*VARIABLES.values(), PASSWORD):
        assert secret == "localhost" or secret not in logs


def test_web_processes_end_within_their_time_of_grace(composition: Composition) -> None:
    for name in ("web1", "web2"):
        container = composition.containers[name]
        assert container.stop(composition.grace_seconds(name)) == 0, container.output()[-2000:]
