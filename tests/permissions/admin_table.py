"""The admin's table: who may open which list and form, and press which button."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from django.contrib import admin
from django.db.models import Model
from django.urls import URLPattern, URLResolver
from django.utils import timezone

from accounts.models import AuditEntry, Consent, TotpDevice
from inference.models import Node, Runner
from metering.models import Plan
from metering.services.plans import quota_of
from streams.admin.live import BUTTONS
from streams.models import Broadcast
from streams.verbs import VERBS
from tests.permissions.world import World

# What a row says instead of a permission.
NOBODY: Final = "nobody"
SUPERUSERS: Final = "superusers"
STAFF: Final = "staff"  # everybody who may open the admin
ANYBODY: Final = "anybody"

Effect = Callable[[World], None]


def as_it_is(world: World) -> None:
    """The world needs no change for the button."""


def off_air(world: World) -> None:
    """The show can be started again."""
    Broadcast.objects.filter(pk=world.broadcast.pk).update(state="ended", active_key=None)


def with_two_factor(world: World) -> None:
    """Bob has lost his app."""
    now = timezone.now()
    TotpDevice.objects.create(user=world.cast.bob, secret="x", confirmed_at=now)


@dataclass(frozen=True, slots=True)
class Lists:
    """One model. view, add, change, delete: a permission, or a word from above.

    row: one of the first organization. actions: name → (permission, what to prepare).
    """

    row: Callable[[World], Model]
    view: str
    add: str
    change: str
    delete: str
    actions: dict[str, tuple[str, Effect]] = field(default_factory=dict)


def _rows(row: Callable[[World], Model], view: str, edit: str, **more: Any) -> Lists:
    return Lists(row, view, edit, edit, edit, **more)


def _consent(world: World) -> Model:
    values = {"organization": world.cast.organization, "subject": "Lin", "scope": "face"}
    return Consent.objects.get_or_create(**values)[0]


def _audit(world: World) -> Model:
    entry = AuditEntry.objects.filter(organization=world.cast.organization).first()
    assert entry is not None
    return entry


def _plan(world: World) -> Model:
    return Plan.objects.get_or_create(name="Small")[0]


def _runner(world: World) -> Model:
    values = {"launcher": "local", "started_at": timezone.now()}
    keys = {"broadcast": world.broadcast.pk, "lease_epoch": 1}
    return Runner.objects.get_or_create(**keys, defaults=values)[0]


def _node(world: World) -> Model:
    return Node.objects.get_or_create(name="studio-1", defaults={"last_seen_at": timezone.now()})[0]


MANAGE: Final = "organization.manage"
START: Final = "broadcast.start"
MODELS: Final[dict[str, Lists]] = {
    "accounts.User": _rows(
        lambda world: world.cast.bob,
        SUPERUSERS,
        SUPERUSERS,
        actions={"switch_two_factor_off": (SUPERUSERS, with_two_factor)},
    ),
    "accounts.Organization": Lists(
        lambda world: world.cast.organization,
        view="organization.view",
        add=SUPERUSERS,
        change=MANAGE,
        delete=SUPERUSERS,
    ),
    "accounts.Membership": _rows(
        lambda world: world.cast.bob.memberships.get(), "organization.view", MANAGE
    ),
    "accounts.Invitation": Lists(
        lambda world: world.invitation,
        view=MANAGE,
        add=MANAGE,
        change=NOBODY,
        delete=NOBODY,
        actions={"revoke": (MANAGE, as_it_is)},
    ),
    "accounts.ApiKey": Lists(
        lambda world: world.api_key,
        view=MANAGE,
        add=MANAGE,
        change=NOBODY,
        delete=NOBODY,
        actions={"revoke": (MANAGE, as_it_is)},
    ),
    "accounts.Consent": Lists(
        _consent,
        view="organization.view",
        add=MANAGE,
        change=MANAGE,
        delete=NOBODY,
        actions={"revoke": (MANAGE, as_it_is)},
    ),
    "accounts.AuditEntry": _rows(_audit, "audit.view", NOBODY),
    "metering.Plan": _rows(_plan, SUPERUSERS, SUPERUSERS),
    "metering.OrganizationQuota": Lists(
        lambda world: quota_of(world.cast.organization),
        view="organization.view",
        add=SUPERUSERS,
        change=MANAGE,
        delete=SUPERUSERS,
    ),
    "webhooks.Webhook": _rows(
        lambda world: world.webhook,
        MANAGE,
        MANAGE,
        actions={"send_test": (MANAGE, as_it_is), "rotate_secret": (MANAGE, as_it_is)},
    ),
    "webhooks.WebhookDelivery": _rows(
        lambda world: world.delivery,
        MANAGE,
        NOBODY,
        actions={"send_again": (MANAGE, as_it_is)},
    ),
    "inference.Runner": _rows(_runner, SUPERUSERS, NOBODY),
    "inference.Node": _rows(_node, SUPERUSERS, NOBODY),
    "avatars.Avatar": _rows(lambda world: world.avatar, "avatar.view", "avatar.edit"),
    "voices.Voice": _rows(lambda world: world.voice, "voice.view", "voice.edit"),
    "voices.Pronunciation": _rows(lambda world: world.pronunciation, "voice.view", "voice.edit"),
    "streams.Broadcast": _rows(
        lambda world: world.broadcast,
        "broadcast.view",
        NOBODY,
        actions={"stop_broadcasts": (START, as_it_is)},
    ),
    "streams.Recording": _rows(lambda world: world.recording, "recording.view", NOBODY),
    "streams.Output": _rows(lambda world: world.spare, "output.view", "output.edit"),
    "streams.Picture": _rows(lambda world: world.picture, "show.view", "show.edit"),
    "streams.Show": _rows(
        lambda world: world.broadcast.show,
        "show.view",
        "show.edit",
        actions={"start_shows": (START, off_air), "stop_shows": (START, as_it_is)},
    ),
}


@dataclass(frozen=True, slots=True)
class Door:
    """An address of the admin that no model gives.

    method: of the request. changes: whether those who may leave a trace (an audit entry or a
    command); for the others it must stay away.
    """

    rule: str
    method: str = "get"
    kwargs: Callable[[World], dict[str, Any]] = field(default=lambda world: {})
    body: Callable[[World], dict[str, Any]] = field(default=lambda world: {})
    prepare: Effect = as_it_is
    changes: bool = False
    # What those who may are answered.
    answers: tuple[int, ...] = (200,)


def _button(verb: str) -> Door:
    def body(world: World) -> dict[str, Any]:
        return {"text": "好。", "id": str(world.row.pk), "stream_key": "a-new-stream-key"}

    return Door(
        VERBS[verb].permission,
        "post",
        lambda world: {"broadcast_id": world.broadcast.pk, "verb": verb},
        body,
        changes=True,
        answers=(302,),
    )


SHORTCUT: Final = {"content_type_id": "1", "object_id": "1"}
# By the name of the address; of one with several uses, the use after a space.
DOORS: Final[dict[str, Door]] = {
    "index": Door(STAFF),
    "login": Door(ANYBODY, answers=(200, 302)),
    "logout": Door(STAFF, "post", answers=(200,)),
    "language": Door(ANYBODY, "post", answers=(302,)),
    "password_change": Door(STAFF),
    "password_change_done": Door(STAFF),
    # No form of ours asks for it, so it has nothing to say to anybody.
    "autocomplete": Door(STAFF, answers=(403,)),
    "jsi18n": Door(STAFF),
    "view_on_site": Door(STAFF, kwargs=lambda world: SHORTCUT, answers=(404,)),
    "app_list": Door("show.view", kwargs=lambda world: {"app_label": "streams"}),
    "live": Door(STAFF),
    "live_cards": Door(STAFF),
    "timeline": Door(STAFF),
    "two_factor": Door(STAFF),
    "choose_organization": Door(STAFF, "post", answers=(302,)),
    "accounts_organization_life": Door(
        MANAGE, kwargs=lambda world: {"organization_id": world.cast.organization.pk}
    ),
    "accounts_organization_life ask": Door(
        MANAGE,
        "post",
        lambda world: {"organization_id": world.cast.organization.pk},
        lambda world: {"step": "export"},
        changes=True,
        answers=(302,),
    ),
    # The version of the world has failed, so it has no zip to give.
    "avatars_avatar_bundle": Door(
        "avatar.edit",
        kwargs=lambda world: {"avatar_id": world.avatar.pk, "build_id": world.build.pk},
        answers=(404,),
    ),
    **{f"live_button {verb}": _button(verb) for verb in BUTTONS},
    "streams_show_start": Door(
        START,
        "post",
        lambda world: {"show_id": world.broadcast.show_id},
        prepare=off_air,
        changes=True,
        answers=(302,),
    ),
    "voices_voice_audition": Door(
        "voice.view",
        "post",
        lambda world: {"voice_id": world.voice.pk},
        lambda world: {"text": "好。"},
    ),
    "auth_user_password_change": Door(SUPERUSERS, kwargs=lambda world: {"id": world.cast.bob.pk}),
}
PAGES_OF_A_MODEL: Final = ("changelist", "add", "history", "delete", "change")


def door_names() -> set[str]:
    """The names of every address of the admin that no model gives."""
    models = {f"{m._meta.app_label}_{m._meta.model_name}" for m in admin.site._registry}
    given = {f"{model}_{page}" for model in models for page in PAGES_OF_A_MODEL}
    return {name for name in _names(admin.site.urls[0]) if name and name not in given}


def _names(patterns: list[Any]) -> Iterator[str | None]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _names(pattern.url_patterns)
        elif isinstance(pattern, URLPattern):
            yield pattern.name
