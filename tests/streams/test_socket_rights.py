"""The right of many to stay is decided as that of each to come in."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from accounts.credentials import credential_of
from accounts.models import DeviceSession, User
from accounts.services import sessions
from livestudio.common.errors import DomainError
from streams.access import get_broadcast_for, get_watchable_broadcast
from streams.models import Show
from streams.socket_rights import Holder, refusals
from tests.factories import add_member, make_api_key
from tests.permissions.world import make_askers, make_worlds

pytestmark = pytest.mark.database


@pytest.mark.parametrize("visibility", ["private", "unlisted", "public"])
def test_all_at_once_is_decided_as_each_alone(db: None, visibility: str) -> None:
    world = make_worlds()[0]
    Show.objects.filter(pk=world.broadcast.show_id).update(visibility=visibility)
    users = [asker.user for asker in make_askers(world)]
    key, _ = make_api_key(world.cast, "show.view")  # a member without the right to look
    users.append(key.membership.user)
    ids = [user.pk if user is not None else None for user in users]

    alone = {_holder(purpose, key): _alone(purpose, key, world.broadcast.pk)
             for purpose in ("console", "watch") for key in ids}  # fmt: skip
    found = refusals(world.broadcast.pk, list(alone))

    told = {holder: type(found[holder]) if holder in found else None for holder in alone}
    assert told == alone


def _holder(purpose: Any, user_id: Any) -> Holder:
    return Holder(purpose, user_id, "")


def _alone(purpose: str, user_id: Any, broadcast_id: Any) -> type[DomainError] | None:
    """How the socket itself is refused when it is opened."""
    user = User.objects.filter(pk=user_id, is_active=True).first()
    try:
        if purpose == "watch":
            get_watchable_broadcast(user, broadcast_id)
        else:
            get_broadcast_for(user or User(), broadcast_id, "broadcast.view")
    except DomainError as error:
        return type(error)
    return None


def test_ended_sign_ins_are_refused_among_others(db: None) -> None:
    world = make_worlds()[0]
    key, _ = make_api_key(world.cast, "broadcast.view")
    ended, _ = make_api_key(world.cast, "broadcast.view")
    type(ended).objects.filter(pk=ended.pk).update(revoked_at=ended.created_at)
    for name in ("here-0001", "gone-0001"):
        sessions.open_session(
            user=world.cast.bob, device=sessions.Device(name, name, is_bound=True)
        )
    DeviceSession.objects.filter(device_id="gone-0001").update(revoked_at=ended.created_at)
    devices = [DeviceSession.objects.get(device_id=name) for name in ("here-0001", "gone-0001")]
    users = [key.membership.user, ended.membership.user, world.cast.bob, world.cast.bob]
    holders = [
        Holder("console", user.pk, credential_of(auth))
        for user, auth in zip(users, [key, ended, *devices], strict=True)
    ]

    found = refusals(world.broadcast.pk, holders)

    assert [getattr(found.get(holder), "code", "") for holder in holders] == [
        "", "ticket_refused", "", "ticket_refused",
    ]  # fmt: skip


def test_unknown_broadcast_is_nobodys(db: None) -> None:
    holder = _holder("console", make_worlds()[0].cast.alice.pk)

    assert refusals(uuid4(), [holder])[holder].code == "not_found"


def test_many_are_asked_for_in_a_few_queries(db: None, django_assert_max_num_queries: Any) -> None:
    world = make_worlds()[0]
    Show.objects.filter(pk=world.broadcast.show_id).update(visibility="private")
    users = [add_member(world.cast.organization, "viewer", f"member{n}") for n in range(20)]
    holders = [
        Holder(purpose, user.pk, f"device.{uuid4()}")
        for user in users
        for purpose in ("console", "watch")
    ]

    with django_assert_max_num_queries(5):
        assert len(refusals(world.broadcast.pk, holders)) == 40
    Show.objects.filter(pk=world.broadcast.show_id).update(visibility="public")
    with django_assert_max_num_queries(1):
        assert not refusals(world.broadcast.pk, [h for h in holders if h.purpose == "watch"])
