"""Every door at which somebody may give an address, with a canary listening on this machine.

The canary must not see one connection: not when the address is saved, and not when it is used
although it was saved (a name that leads elsewhere by then: DNS rebinding).
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rest_framework.test import APIClient

from inference import egress_http
from inference.egress import Destination, EgressError, check_url
from scripts.provision.paths import ROOT
from streams.models import Output
from tests.factories import Cast, api_client, make_cast
from voices.models import Voice

pytestmark = pytest.mark.django_db


class Canary:
    """A server on loopback that counts who connects."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.hits = 0
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.hits += 1
            connection.close()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


@pytest.fixture
def canary(settings: Any) -> Iterator[Canary]:
    settings.EGRESS_ALLOW = ()
    bird = Canary()
    yield bird
    bird.close()


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def hosts(port: int) -> list[str]:
    """This machine, dressed up."""
    numbers = [
        "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "0.0.0.0",
        "127.0.0.1.", "localhost", "localhost.", "LOCALHOST", "[::1]", "[::]",
        "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]",
        "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[fe80::1%25lo]", "user@127.0.0.1",
        "example.org@127.0.0.1", "127.0.0.1#@example.org", "example.org[::1]",
        "\uff11\uff12\uff17.0.0.1", "127\u30020.0.1",
    ]  # fmt: skip
    return [f"{name}:{port}" for name in numbers]


def save_output(client: APIClient, host: str) -> Any:
    body = {"name": "X", "kind": "rtmp", "url": f"rtmp://{host}/live", "stream_key": "k"}
    return client.post("/api/v1/outputs/", body, format="json")


def save_voice(client: APIClient, host: str) -> Any:
    settings = {"base_url": f"http://{host}/v1", "voice": "nova"}
    body = {"name": "X", "engine": "openai_speech", "language": "en-US", "settings": settings}
    return client.post("/api/v1/voices/", body, format="json")


@pytest.mark.parametrize("save", [save_output, save_voice])
def test_no_dress_of_this_machine_is_saved(
    save: Callable[[APIClient, str], Any], canary: Canary, cast: Cast
) -> None:
    client = api_client(cast.alice)

    answers = {host: save(client, host) for host in hosts(canary.port)}

    assert {host for host, answer in answers.items() if answer.status_code != 400} == set()
    assert canary.hits == 0


def test_a_saved_output_is_checked_again_by_its_pusher(canary: Canary, cast: Cast) -> None:
    output = Output.objects.create(
        organization=cast.organization, name="X", url=f"rtmp://localhost:{canary.port}/live"
    )
    job = {"url": output.url, "stream_key": "k", "headers": {}, "egress_allow": []}

    done = subprocess.run(
        [sys.executable, "-m", "inference.outputs.pusher"],
        input=json.dumps(job).encode() + b"\n",
        capture_output=True,
        cwd=ROOT,
        timeout=120,
        check=False,
    )

    report = json.loads(done.stdout.splitlines()[-1])
    assert (report["state"], report["code"]) == ("failed", "address_refused")
    assert report["retryable"] is False
    assert canary.hits == 0


def test_a_saved_voice_is_checked_again_when_it_is_heard(canary: Canary, cast: Cast) -> None:
    voice = Voice.objects.create(
        organization=cast.organization,
        name="X",
        engine="openai_speech",
        language="en-US",
        settings={"base_url": f"http://localhost:{canary.port}/v1", "voice": "nova"},
    )

    heard = api_client(cast.alice).post(
        f"/api/v1/voices/{voice.pk}/preview/",
        {"text": "Hello."},
        format="json",
        headers={"Accept-Language": "en"},
    )

    assert heard.status_code in (400, 409, 422, 503), heard.content
    assert b"this machine itself" in heard.content
    assert canary.hits == 0


def test_a_name_that_changes_its_mind_leads_to_what_was_checked(canary: Canary) -> None:
    answers = iter([["93.184.215.14"], ["127.0.0.1"]])

    destination = check_url(
        f"http://rebind.example.org:{canary.port}/",
        schemes=("http",),
        resolve=lambda host, port: next(answers),
    )

    assert destination.addresses == ("93.184.215.14",)
    assert asyncio.run(_addresses_of(destination)) == ["93.184.215.14"]
    assert next(answers) == ["127.0.0.1"]  # nobody has asked a second time


async def _addresses_of(destination: Destination) -> list[str]:
    async with egress_http.open_session(destination) as session:
        connector: Any = session.connector
        found = await connector._resolver.resolve("rebind.example.org", 80)
        with pytest.raises(OSError, match="not checked"):
            await connector._resolver.resolve("other.example.org", 80)
    return [item["host"] for item in found]


def test_an_address_that_the_client_reads_differently_is_refused() -> None:
    destination = check_url(
        "http://a.example.org/", schemes=("http",), resolve=lambda host, port: ["93.184.215.14"]
    )

    assert egress_http.read_as_checked("http://a.example.org/x", destination).path == "/x"
    for url in ("http://127.0.0.1/", "https://a.example.org/", "http://a.example.org:81/"):
        with pytest.raises(EgressError, match="two ways"):
            egress_http.read_as_checked(url, destination)
