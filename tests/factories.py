"""Rows for tests, and the cast: Alice owns the organization, Bob operates, Charlie is outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import factory
from rest_framework.test import APIClient

from accounts.models import ApiKey, Invitation, Organization, User
from accounts.roles import SYSTEM, Role
from accounts.services import members, sessions
from accounts.services.api_keys import ApiKeyDraft, create_api_key
from accounts.services.invitations import invite
from avatars.models import Avatar
from tests.copied_rows import copy_rows, owned_rows
from voices.models import Voice

PASSWORD = "correct-horse-battery"


class UserFactory(factory.django.DjangoModelFactory[User]):
    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"user_{n}")
    email = factory.LazyAttribute(lambda user: f"{user.username}@example.org")
    password = factory.django.Password(PASSWORD)


class OrganizationFactory(factory.django.DjangoModelFactory[Organization]):
    """Bare: without an owner and without built-ins; `make_organization` gives a real one."""

    class Meta:
        model = Organization

    name = factory.Sequence(lambda n: f"Organization {n}")


class AvatarFactory(factory.django.DjangoModelFactory[Avatar]):
    class Meta:
        model = Avatar

    organization = factory.SubFactory(OrganizationFactory)
    name = factory.Sequence(lambda n: f"Avatar {n}")
    engine = "puppet"
    settings = factory.LazyFunction(lambda: {"character": "lin"})


class VoiceFactory(factory.django.DjangoModelFactory[Voice]):
    class Meta:
        model = Voice

    organization = factory.SubFactory(OrganizationFactory)
    name = factory.Sequence(lambda n: f"Voice {n}")
    engine = "espeak"
    language = "zh-CN"
    settings = factory.LazyFunction(lambda: {"gender": "female"})


@dataclass(frozen=True, slots=True)
class Cast:
    """The people of the tests. Charlie owns `elsewhere`, an organization of his own."""

    organization: Organization
    elsewhere: Organization
    alice: User
    bob: User
    charlie: User


def make_organization(owner: User, name: str = "") -> Organization:
    """An organization as registration makes it, with built-in presenter and voices."""
    return members.create_organization(name=name or f"{owner.username}'s studio", owner=owner)


def add_member(organization: Organization, role: str, username: str = "") -> User:
    """A new user with a role in the organization."""
    user: User = UserFactory(**({"username": username} if username else {}))
    members.set_role(organization=organization, user=user, role=role, actor=SYSTEM)
    return user


def make_cast() -> Cast:
    """Alice (owner), Bob (operator) and Charlie (outsider)."""
    if not _FIRST_CAST:
        cast = cast_by_services()
        people = (cast.organization, cast.elsewhere, cast.alice, cast.bob, cast.charlie)
        _FIRST_CAST[:] = [*people, *owned_rows(people[:2])]
        return cast
    rows: list[Any] = copy_rows(_FIRST_CAST)
    return Cast(*rows[:5])


# Of this process: tests take back what they write, so copies of it are made.
_FIRST_CAST: list[Any] = []


def cast_by_services() -> Cast:
    """The cast as registration and invitations make it."""
    alice: User = UserFactory(username="alice")
    charlie: User = UserFactory(username="charlie")
    organization = make_organization(alice)
    return Cast(
        organization=organization,
        elsewhere=make_organization(charlie),
        alice=alice,
        bob=add_member(organization, Role.OPERATOR, "bob"),
        charlie=charlie,
    )


def api_client(user: User | None = None, **headers: str) -> APIClient:
    """A client of the REST API, signed in as the user. headers: `x_organization="…"` and such."""
    client = APIClient(
        raise_request_exception=False,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )
    if user is not None:
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {access_token(user)}")
    return client


def access_token(user: User) -> str:
    """An access token of a new session that is not bound to a device id."""
    device = sessions.Device(id=sessions.new_device_id(), name="tests", is_bound=False)
    return sessions.open_session(user=user, device=device).access


def make_api_key(cast: Cast, *scopes: str, **more: Any) -> tuple[ApiKey, str]:
    """A key of Alice's organization, and its text."""
    draft = ApiKeyDraft("Shop system", frozenset(scopes or {"show.edit"}), **more)
    return create_api_key(organization=cast.organization, draft=draft, actor=cast.alice)


def make_invitation(cast: Cast, email: str = "dora@example.org") -> Invitation:
    """An open invitation to Alice's organization."""
    return invite(
        organization=cast.organization,
        email=email,
        role=Role.VIEWER,
        actor=cast.alice,
        base_url="http://testserver",
    )[0]


def error_of(response: Any) -> dict[str, Any]:
    """The `error` of an answer, whose form is checked on the way."""
    body = response.json()
    assert set(body) == {"error"}, body
    assert set(body["error"]) == {"code", "message", "details"}, body
    error: dict[str, Any] = body["error"]
    return error
