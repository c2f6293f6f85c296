"""WHEP viewers have no socket: the runner link asks for their right, and sends them away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client as Browser

from accounts.models import Membership, User
from inference.protocol import Signal
from streams.consumers import runner_link as consumer_module
from streams.models import Broadcast, Show, WhepViewer
from streams.services import signalling
from streams.services.launching import launch_due
from streams.services.lifecycle import finish_broadcast
from streams.services.whep import unwelcome
from tests.factories import Cast, api_client
from tests.streams.consumers.peers import RunnerPeer, in_database, runner_peer
from tests.streams.consumers.test_signed_out import sign_out_from_afar, signed_in_on
from tests.streams.consumers.test_watch import set_visibility_by_api
from tests.streams.launcher import PaperLauncher
from tests.streams.test_admin import change

OFFER = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n"
QUIET_SECONDS = 0.3


def answer_every_offer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runner that takes each offer: a request that waits would hold the thread of the link."""

    async def answer(_: Any, viewer: str, *__: Any, **___: Any) -> Signal:
        return Signal(viewer, "1", "answer", {"sdp": OFFER})

    monkeypatch.setattr(signalling, "request", answer)


@pytest.fixture(autouse=True)
def _answers(monkeypatch: pytest.MonkeyPatch) -> None:
    answer_every_offer(monkeypatch)


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked at every ten seconds is looked at all the time."""
    monkeypatch.setattr(consumer_module, "VIEWERS_SECONDS", 0.05)
    monkeypatch.setattr(consumer_module, "TICK_SECONDS", 0.05)


async def watch(client: Any, broadcast: Broadcast) -> str:
    """The address of a viewer who has joined."""
    path = f"/api/v1/broadcasts/{broadcast.pk}/whep/"
    answer = await in_database(client.generic, "POST", path, OFFER, content_type="application/sdp")
    assert answer.status_code == 201, answer.content
    return str(answer["Location"])


async def sent_away(runner: RunnerPeer) -> str:
    """The next viewer to whom the runner shall say bye."""
    signal = await runner.receive("signal")
    assert signal["kind"] == "bye"
    return str(signal["viewer"])


async def is_left_alone(runner: RunnerPeer) -> bool:
    """Whether nobody is sent away for a while; other messages are not asked about."""
    try:
        async with asyncio.timeout(QUIET_SECONDS):
            return not await sent_away(runner)
    except TimeoutError:
        return True


async def leave(address: str) -> int:
    answer = await in_database(api_client().delete, address)
    return int(answer.status_code)


async def test_show_made_private_sends_away_who_is_no_member(live: Broadcast, cast: Cast) -> None:
    async with runner_peer(live) as runner:
        await runner.hello()
        people = (None, cast.charlie, cast.bob)
        clients = [await in_database(api_client, person) for person in people]
        nobody, outsider, member = [await watch(client, live) for client in clients]

        await in_database(set_visibility_by_api, cast, live, "private")

        gone = {await sent_away(runner), await sent_away(runner)}
        assert gone == {address.split("/")[-2] for address in (nobody, outsider)}
        assert [await leave(address) for address in (nobody, outsider, member)] == [404, 404, 204]


async def test_visibility_changed_in_the_admin_counts_as_well(
    live: Broadcast, cast: Cast, client: Browser
) -> None:
    show = await Show.objects.aget(pk=live.show_id)
    await User.objects.filter(pk=cast.alice.pk).aupdate(is_staff=True)
    await in_database(client.force_login, cast.alice)
    async with runner_peer(live) as runner:
        await runner.hello()
        nobody = await watch(api_client(), live)

        answer = await in_database(change, client, show, visibility="private")

        assert answer.status_code == 302
        assert await sent_away(runner) in nobody


def _remove(member: User) -> None:
    Membership.objects.filter(user=member).delete()


def _disable(member: User) -> None:
    User.objects.filter(pk=member.pk).update(is_active=False)


def _sign_out(member: User) -> None:
    sign_out_from_afar(member, "lost-phone")


def _delete(member: User) -> None:
    member.delete()


LOSSES = (_remove, _disable, _sign_out, _delete)


@pytest.mark.database
@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("lose", LOSSES)
async def test_viewer_of_a_private_show_who_lost_the_right_is_sent_away(
    live: Broadcast,
    cast: Cast,
    lose: Callable[[User], None],
) -> None:
    await in_database(set_visibility_by_api, cast, live, "private")
    async with runner_peer(live) as runner:
        await runner.hello()
        phone = await in_database(signed_in_on, "lost-phone", cast.bob)
        former = await watch(phone, live)
        member = await watch(await in_database(api_client, cast.alice), live)
        assert await is_left_alone(runner)

        await in_database(lose, cast.bob)

        assert await sent_away(runner) in former
        assert [await leave(former), await leave(member)] == [404, 204]


@pytest.mark.database
async def test_viewer_whose_sign_in_ended_is_sent_away_before_the_next_look(
    live: Broadcast, cast: Cast
) -> None:
    await in_database(set_visibility_by_api, cast, live, "private")
    async with runner_peer(live) as runner:
        await runner.hello()
        phone = await in_database(signed_in_on, "lost-phone", cast.bob)
        former = await watch(phone, live)

        await in_database(_sign_out, cast.bob)

        async with asyncio.timeout(consumer_module.VIEWERS_SECONDS / 2):
            assert await sent_away(runner) in former


@pytest.mark.usefixtures("_quick")
async def test_public_show_asks_nobody(live: Broadcast, cast: Cast) -> None:
    async with runner_peer(live) as runner:
        await runner.hello()
        phone = await in_database(signed_in_on, "lost-phone", cast.bob)
        former = await watch(phone, live)

        await in_database(_sign_out, cast.bob)

        assert await is_left_alone(runner)
        assert await leave(former) == 204


async def test_bye_is_said_again_by_a_new_link_before_the_viewer_is_forgotten(
    live: Broadcast, cast: Cast, request: pytest.FixtureRequest
) -> None:
    async with runner_peer(live) as runner:
        await runner.hello()
        nobody = await watch(api_client(), live)
        await in_database(set_visibility_by_api, cast, live, "private")
        first = await sent_away(runner)

    request.getfixturevalue("_quick")
    async with runner_peer(live) as runner:
        await runner.hello()
        assert await sent_away(runner) == first
        assert first in nobody
        await _until_nobody_is_left(live)


@pytest.mark.usefixtures("_quick")
async def test_viewer_whom_the_runner_has_lost_is_forgotten(live: Broadcast) -> None:
    async with runner_peer(live) as runner:
        await runner.hello()
        address = await watch(api_client(), live)

        lost = {"code": "closed", "message": "the connection was closed"}
        await runner.tell(Signal(address.split("/")[-2], "", "error", lost))

        await _until_nobody_is_left(live)
        assert await leave(address) == 404


def test_look_at_the_viewers_of_a_public_show_is_one_query(
    live: Broadcast, cast: Cast, django_assert_num_queries: Any
) -> None:
    for number in range(3):
        WhepViewer.objects.create(viewer=f"v{number}", broadcast=live, user=cast.bob)

    with django_assert_num_queries(1):
        assert unwelcome(live.pk) == set()


def test_viewers_end_with_the_broadcast(live: Broadcast) -> None:
    WhepViewer.objects.create(viewer="v", broadcast=live)

    finish_broadcast(broadcast=live, state="ended")

    assert not WhepViewer.objects.exists()


def test_viewers_end_with_their_runner(broadcast: Broadcast) -> None:
    Broadcast.objects.filter(pk=broadcast.pk).update(lease_epoch=0)
    WhepViewer.objects.create(viewer="v", broadcast=broadcast)

    assert launch_due(PaperLauncher()) == 1

    assert not WhepViewer.objects.exists()


async def _until_nobody_is_left(broadcast: Broadcast) -> None:
    async with asyncio.timeout(60):
        while await WhepViewer.objects.filter(broadcast=broadcast).aexists():
            await asyncio.sleep(0.02)
