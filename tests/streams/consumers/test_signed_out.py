"""Sockets end with the sign-in that opened them."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import ApiKey, DeviceSession, User
from accounts.services.api_keys import revoke_api_key
from livestudio.common.errors import NotFoundError
from streams.models import Broadcast, ControlCommand, Show
from tests.factories import PASSWORD, Cast, api_client, make_api_key
from tests.streams.consumers.peers import ORIGIN, browser, in_database


def signed_in_on(device: str, user: User) -> Any:
    """A client of the API on a named device."""
    body = {"username": user.username, "password": PASSWORD, "device_id": device}
    access = api_client().post("/api/v1/auth/token/", body).json()["access"]
    client = api_client(x_device_id=device, origin=ORIGIN)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
    return client


def ticket_of(client: Any, broadcast: Broadcast, purpose: str) -> str:
    body = {"purpose": purpose, "broadcast": str(broadcast.pk)}
    answer = client.post("/api/v1/ws-tickets/", body)
    assert answer.status_code == 201, answer.content
    return str(answer.json()["ticket"])


def sign_out_from_afar(user: User, device: str) -> None:
    answer = api_client(user).delete(f"/api/v1/auth/devices/{device}/")
    assert answer.status_code == 204


async def test_signing_a_device_out_closes_its_console_and_no_other(
    live: Broadcast, cast: Cast
) -> None:
    lost = await in_database(signed_in_on, "lost-phone", cast.bob)
    desk = await in_database(signed_in_on, "desk-0001", cast.bob)
    lost_ticket = await in_database(ticket_of, lost, live, "console")
    desk_ticket = await in_database(ticket_of, desk, live, "console")
    async with (
        browser(live, "console", cast.bob, ticket=lost_ticket) as closed,
        browser(live, "console", cast.bob, ticket=desk_ticket) as open_still,
    ):
        await closed.receive("welcome")
        await open_still.receive("welcome")

        await in_database(sign_out_from_afar, cast.bob, "lost-phone")

        assert await closed.close_code() == 4401
        await open_still.send({"type": "replay", "after_sequence": 0, "id": "r"})
        assert (await open_still.receive("result"))["ok"]


async def test_ticket_of_a_device_that_was_signed_out_opens_nothing(
    live: Broadcast, cast: Cast
) -> None:
    lost = await in_database(signed_in_on, "lost-phone", cast.bob)
    ticket = await in_database(ticket_of, lost, live, "console")
    await in_database(sign_out_from_afar, cast.bob, "lost-phone")

    async with browser(live, "console", cast.bob, ticket=ticket) as console:
        assert await console.close_code() == 4401


async def test_command_is_refused_even_if_nobody_told_the_socket(
    live: Broadcast, cast: Cast
) -> None:
    lost = await in_database(signed_in_on, "lost-phone", cast.bob)
    ticket = await in_database(ticket_of, lost, live, "console")
    async with browser(live, "console", cast.bob, ticket=ticket) as console:
        await console.receive("welcome")
        ended = DeviceSession.objects.filter(device_id="lost-phone")
        await ended.aupdate(revoked_at=live.created_at)

        await console.send({"type": "command", "id": "1", "name": "skip", "args": {}})

        assert (await console.receive("result"))["error"]["code"] == "ticket_refused"
        assert await console.close_code() == 4401
    assert await ControlCommand.objects.acount() == 0


@pytest.mark.parametrize(("visibility", "is_closed"), [("private", True), ("public", False)])
async def test_only_a_private_show_is_taken_from_a_viewer_who_signed_out(
    live: Broadcast, cast: Cast, visibility: str, is_closed: bool
) -> None:
    await Show.objects.filter(pk=live.show_id).aupdate(visibility=visibility)
    phone = await in_database(signed_in_on, "lost-phone", cast.bob)
    ticket = await in_database(ticket_of, phone, live, "watch")
    async with browser(live, "watch", cast.bob, ticket=ticket) as watch:
        await watch.receive("state")

        await in_database(sign_out_from_afar, cast.bob, "lost-phone")

        if is_closed:
            assert await watch.close_code() == 4401
        else:
            await watch.send({"type": "nonsense"})
            assert (await watch.receive("error"))["code"] == "invalid"


async def test_revoking_an_api_key_closes_its_console(live: Broadcast, cast: Cast) -> None:
    key, plain = await in_database(make_api_key, cast, "broadcast.steer")
    program = api_client(origin=ORIGIN)
    program.credentials(HTTP_AUTHORIZATION=f"Api-Key {plain}")
    ticket = await in_database(ticket_of, program, live, "console")
    async with browser(live, "console", None, ticket=ticket) as console:
        welcome = await console.receive("welcome")

        await in_database(revoke_api_key, key=key, actor=cast.alice)

        assert welcome["permissions"] == ["broadcast.steer", "broadcast.view"]
        assert await console.close_code() == 4401


async def test_console_of_a_key_that_has_expired_is_refused(live: Broadcast, cast: Cast) -> None:
    key, plain = await in_database(make_api_key, cast, "broadcast.steer")
    program = api_client(origin=ORIGIN)
    program.credentials(HTTP_AUTHORIZATION=f"Api-Key {plain}")
    ticket = await in_database(ticket_of, program, live, "console")
    async with browser(live, "console", None, ticket=ticket) as console:
        await console.receive("welcome")
        await ApiKey.objects.filter(pk=key.pk).aupdate(expires_at=live.created_at)

        await console.send({"type": "command", "id": "1", "name": "skip", "args": {}})

        assert (await console.receive("result"))["error"]["code"] == "ticket_refused"
        assert await console.close_code() == 4401


def test_nobody_ends_the_sockets_of_another(live: Broadcast, cast: Cast) -> None:
    signed_in_on("lost-phone", cast.bob)

    answer = api_client(cast.charlie).delete("/api/v1/auth/devices/lost-phone/")

    assert answer.json()["error"]["code"] == NotFoundError.code
    assert DeviceSession.objects.get(device_id="lost-phone").revoked_at is None
