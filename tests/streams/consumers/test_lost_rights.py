"""Each way to lose the right to a private show ends what shows it, at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client as Browser
from django.urls import reverse

from accounts.models import Membership, User
from streams.consumers import audience as audience_module
from streams.consumers import runner_link as runner_link_module
from streams.models import Broadcast, Show
from streams.poke import poke_consoles
from tests.factories import PASSWORD, Cast, UserFactory, api_client
from tests.streams.consumers.peers import browser, in_database, runner_peer
from tests.streams.consumers.test_signed_out import sign_out_from_afar, signed_in_on, ticket_of
from tests.streams.consumers.test_watch import set_visibility_by_api
from tests.streams.consumers.test_whep_viewers import answer_every_offer, sent_away, watch

pytestmark = pytest.mark.database

PHONE = "lost-phone"


@pytest.fixture(autouse=True)
def _only_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks by the clock: who is sent away has been told."""
    monkeypatch.setattr(audience_module, "RECHECK_SECONDS", 1e9)
    monkeypatch.setattr(runner_link_module, "VIEWERS_SECONDS", 1e9)
    answer_every_offer(monkeypatch)


@pytest.fixture
def private(live: Broadcast) -> Broadcast:
    Show.objects.filter(pk=live.show_id).update(visibility="private")
    return live


def admin_of(user: User) -> Browser:
    User.objects.filter(pk=user.pk).update(is_staff=True, is_superuser=True)
    client = Browser()
    client.force_login(user)
    return client


def in_admin(cast: Cast, page: str, row: Any, **form: str) -> None:
    answer = admin_of(cast.charlie).post(reverse(page, args=[row.pk]), form)
    assert answer.status_code == 302, answer.context["errors"]


def membership_of(cast: Cast) -> Membership:
    return Membership.objects.get(organization=cast.organization, user=cast.bob)


def is_removed(cast: Cast, phone: Any) -> None:
    path = f"/api/v1/organizations/{cast.organization.pk}/members/{membership_of(cast).pk}/"
    assert api_client(cast.alice).delete(path).status_code == 204


def is_removed_in_the_admin(cast: Cast, phone: Any) -> None:
    in_admin(cast, "admin:accounts_membership_delete", membership_of(cast), post="yes")


def are_removed_in_the_admin(cast: Cast, phone: Any) -> None:
    body = {
        "action": "delete_selected", "post": "yes", "_selected_action": membership_of(cast).pk,
    }  # fmt: skip
    page = reverse("admin:accounts_membership_changelist")
    assert admin_of(cast.charlie).post(page, body).status_code == 302


def leaves(cast: Cast, phone: Any) -> None:
    path = f"/api/v1/organizations/{cast.organization.pk}/leave/"
    assert phone.post(path).status_code == 204


def is_disabled(cast: Cast, phone: Any) -> None:
    form = {"username": "bob", "email": cast.bob.email, "is_staff": "on"}
    in_admin(cast, "admin:accounts_user_change", cast.bob, **form)
    assert not User.objects.get(pk=cast.bob.pk).is_active


def is_deleted(cast: Cast, phone: Any) -> None:
    in_admin(cast, "admin:accounts_user_delete", cast.bob, post="yes")
    assert not User.objects.filter(pk=cast.bob.pk).exists()


def are_deleted(cast: Cast, phone: Any) -> None:
    body = {"action": "delete_selected", "post": "yes", "_selected_action": cast.bob.pk}
    answer = admin_of(cast.charlie).post(reverse("admin:accounts_user_changelist"), body)
    assert not User.objects.filter(pk=cast.bob.pk).exists(), list(get_messages(answer.wsgi_request))


def signs_out(cast: Cast, phone: Any) -> None:
    assert phone.post("/api/v1/auth/logout/").status_code == 204


def is_signed_out(cast: Cast, phone: Any) -> None:
    sign_out_from_afar(cast.bob, PHONE)


def takes_another_password(cast: Cast, phone: Any) -> None:
    body = {"password": PASSWORD, "new_password": "another-" + PASSWORD}
    assert phone.post("/api/v1/auth/password/", body).status_code == 200


def signs_in_again(cast: Cast, phone: Any) -> None:
    signed_in_on(PHONE, cast.bob)


# Who lost the right, and the close code that says it.
WAYS = {
    is_removed: 4404,
    is_removed_in_the_admin: 4404,
    are_removed_in_the_admin: 4404,
    leaves: 4404,
    is_disabled: 4401,
    is_deleted: 4401,
    are_deleted: 4401,
    signs_out: 4401,
    is_signed_out: 4401,
    takes_another_password: 4401,
    signs_in_again: 4401,
}


@pytest.mark.parametrize(("lose", "code"), WAYS.items(), ids=[way.__name__ for way in WAYS])
async def test_who_loses_the_right_loses_console_watch_page_and_picture_at_once(
    private: Broadcast, cast: Cast, lose: Callable[[Cast, Any], None], code: int
) -> None:
    phone = await in_database(signed_in_on, PHONE, cast.bob)
    tickets = [
        await in_database(ticket_of, phone, private, purpose) for purpose in ("watch", "console")
    ]
    async with (
        runner_peer(private) as runner,
        browser(private, "watch", cast.bob, ticket=tickets[0]) as page,
        browser(private, "console", cast.bob, ticket=tickets[1]) as console,
        browser(private, "watch", cast.alice) as member,
    ):
        await runner.hello()
        for socket, kind in ((page, "state"), (console, "welcome"), (member, "state")):
            await socket.receive(kind)
        player = await watch(phone, private)
        await watch(await in_database(api_client, cast.alice), private)

        await in_database(lose, cast, phone)

        assert [await page.close_code(), await console.close_code()] == [code, code]
        assert await sent_away(runner) in player
        assert await member.communicator.receive_nothing(0.05)


async def test_superuser_who_is_none_any_more_loses_the_shows_of_others(
    private: Broadcast, cast: Cast
) -> None:
    root = await in_database(UserFactory, username="root", is_superuser=True, is_staff=True)
    client = await in_database(signed_in_on, PHONE, root)
    ticket = await in_database(ticket_of, client, private, "watch")
    async with browser(private, "watch", root, ticket=ticket) as former:
        await former.receive("state")

        form = {"username": "root", "email": root.email, "is_active": "on"}
        await in_database(lambda: in_admin(cast, "admin:accounts_user_change", root, **form))

        assert await former.close_code() == 4404


@pytest.mark.parametrize("ends_before", [True, False])
async def test_sign_in_that_ended_while_the_show_was_public_opens_no_private_one(
    live: Broadcast, cast: Cast, *, ends_before: bool
) -> None:
    phone = await in_database(signed_in_on, PHONE, cast.bob)
    ticket = await in_database(ticket_of, phone, live, "watch")
    steps = [
        lambda: sign_out_from_afar(cast.bob, PHONE),
        lambda: set_visibility_by_api(cast, live, "private"),
    ]
    async with browser(live, "watch", cast.bob, ticket=ticket) as former:
        await former.receive("state")

        for step in steps if ends_before else reversed(steps):
            await in_database(step)

        assert await former.close_code() == 4401


async def test_public_show_goes_on_for_who_was_removed(live: Broadcast, cast: Cast) -> None:
    phone = await in_database(signed_in_on, PHONE, cast.bob)
    ticket = await in_database(ticket_of, phone, live, "watch")
    async with browser(live, "watch", cast.bob, ticket=ticket) as former:
        await former.receive("state")

        await in_database(is_removed, cast, phone)

        await former.send({"type": "nonsense"})
        assert (await former.receive("error"))["code"] == "invalid"


async def test_lost_doorbell_of_a_show_made_private_is_made_up_for(
    live: Broadcast, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audience_module, "RECHECK_SECONDS", 0.05)
    async with browser(live, "watch", cast.charlie) as outsider:
        await outsider.receive("state")

        await Show.objects.filter(pk=live.show_id).aupdate(visibility="private")

        assert await outsider.close_code() == 4404


async def test_console_hears_no_change_of_a_row_without_the_right(
    live: Broadcast, cast: Cast
) -> None:
    async with browser(live, "console", cast.bob) as former:
        await former.receive("welcome")
        await Membership.objects.filter(user=cast.bob).adelete()

        await in_database(poke_consoles, live.pk)

        assert await former.close_code() == 4404
        assert former.kept == []
