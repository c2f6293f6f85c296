"""Each reference between rows of tenants, given the id of another organization's row.

Alice belongs to both organizations: what refuses her is not that she may not see the row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from accounts.models import Consent, Organization
from accounts.roles import SYSTEM, Role
from accounts.services import members
from accounts.tenancy import tenant_models
from avatars.models import AvatarClip
from streams.models import Broadcast, Show
from tests.factories import AvatarFactory, Cast, VoiceFactory, api_client, error_of, make_cast
from tests.streams.pictures import make_picture
from tests.streams.plans import make_output, make_show, put_live
from tests.streams.test_admin import show_form

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@dataclass(frozen=True, slots=True)
class Both:
    """Alice's show on air, and one of each thing in the other organization."""

    cast: Cast
    show: Show
    broadcast: Broadcast
    foreign: dict[str, str]


@pytest.fixture
def both(db: None) -> Both:
    cache.clear()
    cast = make_cast()
    members.set_role(organization=cast.elsewhere, user=cast.alice, role=Role.OWNER, actor=SYSTEM)
    broadcast = put_live(cast)
    return Both(cast, broadcast.show, broadcast, _things(cast.elsewhere, cast))


def _things(organization: Organization, cast: Cast) -> dict[str, str]:
    avatar = AvatarFactory(organization=organization)
    show = make_show(organization, cast.charlie)
    rows: dict[str, Any] = {
        "avatar": avatar,
        "voice": VoiceFactory(organization=organization),
        "clip": AvatarClip.objects.create(avatar=avatar, name="Nod", engine_name="nod"),
        "logo": make_picture(organization, "logo"),
        "card": make_picture(organization, "card"),
        "background": make_picture(organization, "background"),
        "output": make_output(organization, cast.charlie),
        "show": show,
        "cue": show.cues.first(),
        "consent": Consent.objects.create(organization=organization, subject="Xu", scope="voice"),
    }
    return {name: str(row.pk) for name, row in rows.items()}


Case = tuple[str, str, Callable[[Both], Any], tuple[int, ...]]
# field → (method, address, body, answers)
CASES: dict[str, Case] = {
    "streams.Show.avatar": (
        "patch", "shows/{show}/", lambda b: {"avatar": b.foreign["avatar"]}, (400,),
    ),
    "streams.Show.voice": (
        "patch", "shows/{show}/", lambda b: {"voice": b.foreign["voice"]}, (400,),
    ),
    "streams.Show.logo": (
        "patch", "shows/{show}/",
        lambda b: {"overlays": {"logo": {"picture": b.foreign["logo"]}}}, (400,),
    ),
    "streams.Show.background": (
        "patch", "shows/{show}/", lambda b: {"background": b.foreign["background"]}, (400,),
    ),
    "streams.Show.outputs": (
        "patch", "shows/{show}/", lambda b: {"outputs": [b.foreign["output"]]}, (400,),
    ),
    "streams.Cue.clip": (
        "post", "shows/{show}/cues/", lambda b: {"kind": "clip", "clip": b.foreign["clip"]}, (400,),
    ),
    "streams.Cue.card_picture": (
        "post", "shows/{show}/cues/",
        lambda b: {"text": "好。", "card": {"title": "Tea", "picture": b.foreign["card"]}}, (400,),
    ),
    "streams.BroadcastOutput.output": (
        "post", "broadcasts/{broadcast}/outputs/", lambda b: {"output": b.foreign["output"]},
        (400, 404),
    ),
    "voices.VoiceFallback.fallback": (
        "patch", "voices/{voice}/", lambda b: {"fallbacks": [b.foreign["voice"]]}, (400,),
    ),
    "voices.Pronunciation.voice": (
        "post", "pronunciations/",
        lambda b: {"language": "zh-CN", "text": "行", "reading": "hang2",
                   "voice": b.foreign["voice"]},
        (400,),
    ),
    "avatars.Avatar.consent": (
        "patch", "avatars/{avatar}/", lambda b: {"consent": b.foreign["consent"]}, (400,),
    ),
    "voices.Voice.consent": (
        "patch", "voices/{voice}/", lambda b: {"consent": b.foreign["consent"]}, (400,),
    ),
    "take": ("post", "broadcasts/{broadcast}/take/", lambda b: {"cue": b.foreign["cue"]}, (400,)),
    "clip": ("post", "broadcasts/{broadcast}/clip/", lambda b: {"clip": b.foreign["clip"]}, (400,)),
    "rundown": ("put", "shows/{show}/rundown/", lambda b: [b.foreign["cue"]], (400,)),
}  # fmt: skip
# Set by the system from the row at hand, never by an id that somebody sends.
FROM_PARENT = {
    "accounts.ApiKey.membership",
    "metering.LimitOverride.quota",
    "streams.Broadcast.avatar_on_air",
    "streams.Broadcast.voice_on_air",
    "avatars.AvatarClip.avatar",
    "avatars.AvatarBuild.avatar",
    "voices.VoiceFallback.voice",
    "streams.Broadcast.show",
    "streams.Broadcast.occurrence",
    "streams.BroadcastOutput.broadcast",
    "streams.Utterance.broadcast",
    "streams.BroadcastEvent.broadcast",
    "streams.ControlCommand.broadcast",
    "streams.MetricSample.broadcast",
    "streams.Recording.broadcast",
    "streams.Cue.show",
    "streams.Schedule.show",
    "streams.Occurrence.show",
    "streams.ConnectionTicket.broadcast",
    "webhooks.WebhookDelivery.webhook",
    "webhooks.WebhookAttempt.delivery",
}


def test_every_reference_between_tenants_rows_has_a_case() -> None:
    owned = set(tenant_models())
    references = {
        f"{model._meta.label}.{field.name}"
        for model in owned
        for field in (*model._meta.fields, *model._meta.many_to_many)
        if field.is_relation and field.related_model in owned
    }

    assert references - CASES.keys() == FROM_PARENT


@pytest.mark.parametrize("name", CASES)
def test_id_of_another_organization_in_a_body_is_refused(both: Both, name: str) -> None:
    method, address, body_of, answers = CASES[name]
    ids = {"show": both.show.pk, "broadcast": both.broadcast.pk, "voice": both.show.voice_id,
           "avatar": both.show.avatar_id}  # fmt: skip
    client = api_client(both.cast.alice, x_organization=str(both.cast.organization.pk))

    answer = getattr(client, method)(f"/api/v1/{address.format(**ids)}", body_of(both))

    assert answer.status_code in answers, answer.content
    assert error_of(answer)["code"] in ("invalid", "not_found", "unknown_cue", "unknown_clip")


def test_id_of_another_organization_in_a_filter_finds_nothing(both: Both) -> None:
    client = api_client(both.cast.alice, x_organization=str(both.cast.organization.pk))

    answer = client.get("/api/v1/broadcasts/", {"show": both.foreign["show"]})

    assert answer.status_code == 200
    assert answer.json()["results"] == []


ADMIN_FIELDS = {
    "avatar": "avatar",
    "voice": "voice",
    "logo": "logo",
    "outputs": "output",
    "cues-0-clip": "clip",
    "cues-0-card_picture": "card",
}


@pytest.mark.parametrize("field", ADMIN_FIELDS)
def test_id_of_another_organization_in_a_form_of_the_admin_is_refused(
    both: Both, client: Client, field: str
) -> None:
    client.force_login(both.cast.alice)
    body = show_form(both.show, **{field: both.foreign[ADMIN_FIELDS[field]]})
    page = f"/admin/streams/show/{both.show.pk}/change/"

    answer = client.post(page, body)

    both.show.refresh_from_db()
    named = {both.show.avatar_id, both.show.voice_id, both.show.logo_id}
    named |= set(both.show.outputs.values_list("pk", flat=True))
    for cue in both.show.cues.all():
        named |= {cue.clip_id, cue.card_picture_id}
    assert not {str(key) for key in named} & set(both.foreign.values())
    # Shown again with the mistake, or turned away with a message.
    assert answer.status_code in (200, 302)
