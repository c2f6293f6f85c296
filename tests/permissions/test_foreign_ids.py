"""Ids of another organization in bodies, filters and forms: refused, or nothing is found.

A stranger to the other organization asks, and an owner of both: what refuses the second is not that
she may not see the row. The places come from the OpenAPI schema: a new field or filter without a
line here fails, and so does a new reference between models that no place stands for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from django.db import transaction
from django.test import Client
from django.urls import resolve
from drf_spectacular.generators import SchemaGenerator

from accounts.models import User
from accounts.tenancy import tenant_models
from streams.models import Cue, Picture, Show
from tests.factories import PASSWORD, api_client
from tests.permissions.asking import Row, address_of, is_collection, text_of
from tests.permissions.world import World, keep_cached
from tests.streams.pictures import make_picture
from tests.streams.test_admin import show_form
from tests.test_permission_matrix import ROWS
from voices.models import Voice

pytestmark = pytest.mark.django_db

Json = dict[str, Any]
Path = tuple[str, ...]


def _picture(world: World, kind: str) -> str:
    found = Picture.objects.filter(organization=world.cast.organization, kind=kind).first()
    return str((found or make_picture(world.cast.organization, kind)).pk)


def _card(world: World) -> Json:
    return {"text": "茶。", "card": {"title": "Tea", "picture": _picture(world, "card")}}


def _clip(world: World) -> Json:
    return {"kind": "clip", "clip": str(world.clip.pk)}


def _fallback(world: World) -> Json:
    rows = Voice.objects.filter(organization=world.cast.organization, language=world.voice.language)
    spare = rows.exclude(pk=world.voice.pk)[0]
    return {"fallbacks": [str(spare.pk)], "language": spare.language}


def _cue_order(world: World) -> list[str]:
    keys = Cue.objects.filter(show=world.broadcast.show).values_list("pk", flat=True)
    return [str(key) for key in keys]


# Where a body names a row → what is put into the body. With rows of one's own it must be taken
# (the control), with those of another organization it must not.
BODIES: Final[dict[Path, Callable[[World], Any]]] = {
    ("avatar",): lambda world: {"avatar": str(world.avatar.pk)},
    ("voice",): lambda world: {"voice": str(world.voice.pk)},
    ("outputs", "[]"): lambda world: {"outputs": [str(world.spare.pk)]},
    ("fallbacks", "[]"): _fallback,
    ("clip",): _clip,
    ("cue",): lambda world: {"cue": world.broadcast.snapshot["cues"][0]["id"]},
    ("output",): lambda world: {"output": str(world.spare.pk)},
    ("broadcast",): lambda world: {"broadcast": str(world.broadcast.pk)},
    ("card", "picture"): _card,
    ("cues", "[]", "clip"): lambda world: {"cues": [_clip(world)]},
    ("cues", "[]", "card", "picture"): lambda world: {"cues": [_card(world)]},
    ("overlays", "logo", "picture"): lambda world: {
        "overlays": {"logo": {"picture": _picture(world, "logo"), "position": "top_right"}}
    },
    ("consent",): lambda world: {"consent": str(world.consent.pk)},
    ("background",): lambda world: {"background": _picture(world, "background")},
    ("shows", "[]"): lambda world: {"shows": [str(world.broadcast.show_id)]},
    ("[]", "clip"): lambda world: [_clip(world)],
    ("[]", "card", "picture"): lambda world: [_card(world)],
    ("[]",): _cue_order,
    ("member",): lambda world: {
        "member": str(world.cast.bob.memberships.get().pk),
        "password": PASSWORD,
    },
}
# Texts that are either a word of ours or the id of a row: the schema cannot tell.
WORD_OR_ID: Final = {"background"}
# What a request is about, not what its row points at: who belongs to both may name either.
ABOUT: Final = {("broadcast",)}
# Reference between rows of tenants → the route and the place in its body that set it.
REFERENCES: Final[dict[str, tuple[str, Path]]] = {
    "avatars.Avatar.consent": ("avatar-patch", ("consent",)),
    "streams.BroadcastOutput.output": ("broadcast-outputs-post", ("output",)),
    "streams.Cue.card_picture": ("cue-patch", ("card", "picture")),
    "streams.Cue.clip": ("cue-patch", ("clip",)),
    "streams.Show.avatar": ("show-patch", ("avatar",)),
    "streams.Show.logo": ("show-patch", ("overlays", "logo", "picture")),
    "streams.Show.outputs": ("show-patch", ("outputs", "[]")),
    "streams.Show.voice": ("show-patch", ("voice",)),
    "voices.Pronunciation.voice": ("pronunciations-post", ("voice",)),
    "voices.Voice.consent": ("voice-patch", ("consent",)),
    "voices.VoiceFallback.fallback": ("voice-patch", ("fallbacks", "[]")),
}
# Set by the system from the row at hand, never by an id that somebody sends.
FROM_PARENT: Final = {
    "accounts.ApiKey.membership",
    "avatars.AvatarBuild.avatar",
    "avatars.AvatarClip.avatar",
    "metering.LimitOverride.quota",
    "streams.Broadcast.avatar_on_air",
    "streams.Broadcast.occurrence",
    "streams.Broadcast.show",
    "streams.Broadcast.voice_on_air",
    "streams.BroadcastEvent.broadcast",
    "streams.BroadcastOutput.broadcast",
    "streams.ConnectionTicket.broadcast",
    "streams.ControlCommand.broadcast",
    "streams.Cue.show",
    "streams.MetricSample.broadcast",
    "streams.Occurrence.show",
    "streams.Recording.broadcast",
    "streams.Schedule.show",
    "streams.Utterance.broadcast",
    "streams.WhepViewer.broadcast",
    "voices.VoiceFallback.voice",
    "webhooks.WebhookAttempt.delivery",
    "webhooks.WebhookDelivery.webhook",
}
# Fields of the show's form in the admin → what the form sends, the row first.
FORM: Final[dict[str, Callable[[World], Json]]] = {
    "avatar": lambda world: {"avatar": world.avatar.pk},
    "voice": lambda world: {"voice": world.voice.pk},
    "logo": lambda world: {"logo": _picture(world, "logo")},
    "background": lambda world: {"background_0": _picture(world, "background")},
    "outputs": lambda world: {"outputs": world.spare.pk},
    "clip of a cue": lambda world: {
        "cues-0-clip": world.clip.pk, "cues-0-kind": "clip", "cues-0-text": "",
    },
    "card of a cue": lambda world: {
        "cues-0-card_picture": _picture(world, "card"), "cues-0-card_title": "Tea",
    },
}  # fmt: skip
# Filters that take the id of a row.
FILTERS: Final[dict[str, Callable[[World], Any]]] = {
    "show": lambda world: world.broadcast.show_id,
    "broadcast": lambda world: world.broadcast.pk,
    "avatar": lambda world: world.avatar.pk,
    "voice": lambda world: world.voice.pk,
    "output": lambda world: world.output.pk,
    "cue": lambda world: world.broadcast.snapshot["cues"][0]["id"],
    "actor": lambda world: world.cast.alice.pk,
    "object": lambda world: world.broadcast.show_id,
}
# Parameters that name no row.
PLAIN: Final = {
    "action", "after", "after_sequence", "before", "cursor", "empty", "engine", "from",
    "key_per_broadcast", "kind", "language", "name", "object_type", "ordering", "page_size", "role",
    "scheduled", "since", "source", "started_after", "started_before", "state", "text", "title",
    "to", "token", "type", "until", "visibility",
}  # fmt: skip
EVERY_ROW: Final = {row.key: row for row in ROWS}


@pytest.fixture(scope="module")
def schema() -> Json:
    found: Json = SchemaGenerator().get_schema(request=None, public=True)
    return found


@pytest.fixture(params=["stranger", pytest.param("owner of both", marks=pytest.mark.database)])
def asker(request: pytest.FixtureRequest, worlds: tuple[World, World]) -> User:
    if request.param == "stranger":
        return worlds[0].cast.alice
    user: User = request.getfixturevalue("owner_of_both")
    return user


@pytest.mark.database
def test_every_reference_between_rows_of_tenants_is_asked_about(schema: Json) -> None:
    owned = set(tenant_models())
    references = {
        f"{model._meta.label}.{field.name}"
        for model in owned
        for field in (*model._meta.fields, *model._meta.many_to_many)
        if field.is_relation and field.related_model in owned
    }
    asked = {(str(row), path) for row, path in _body_places(schema)}

    assert references - REFERENCES.keys() == FROM_PARENT
    assert set(REFERENCES.values()) <= asked


def test_foreign_ids_in_bodies_are_refused(
    schema: Json, worlds: tuple[World, World], asker: User
) -> None:
    home, away = worlds
    belongs_to_both = asker.memberships.count() == 2
    wrong = []
    for row, path in _body_places(schema):
        assert path in BODIES, (
            f"{row}: the body names a row at {'.'.join(path)}. Add to BODIES in {__file__} what is "
            "put there: ids of a world, and what else such a body needs to be taken."
        )
        keep_cached(home)
        if belongs_to_both and path in ABOUT:
            continue
        own = _put(row, home, BODIES[path](home), asker)
        foreign = _put(row, home, BODIES[path](away), asker)
        place = f"{row} with {'.'.join(path)}"
        if own.status_code not in (*row.answers, 200, 201, 202, 204):
            wrong.append(f"{place}: control refused, {own.status_code} {text_of(own)[:200]}")
        if foreign.status_code not in (400, 404, 409):
            wrong.append(f"{place}: {foreign.status_code} {text_of(foreign)[:200]}")
        said = json.dumps(BODIES[path](away))
        told = [mark for mark in away.marks if mark not in said and mark in text_of(foreign)]
        if told:
            wrong.append(f"{place}: tells {told}")

    assert not wrong, "\n".join(wrong)


def test_foreign_ids_in_filters_find_nothing(
    schema: Json, worlds: tuple[World, World], asker: User
) -> None:
    home, away = worlds
    unknown, wrong = [], []
    for row, name in _filters(schema):
        if name not in FILTERS:
            unknown += [f"{row}: {name}"] if name not in PLAIN else []
            continue
        keep_cached(home)
        answer = _get(row, home, {name: str(FILTERS[name](away))}, asker)
        told = [mark for mark in away.marks - {str(FILTERS[name](away))} if mark in text_of(answer)]
        if told or answer.status_code not in (200, 400, 404):
            wrong.append(f"{row}?{name}: {answer.status_code}, tells {told}")
        is_json = answer.headers["Content-Type"] == "application/json"
        if answer.status_code == 200 and is_json and answer.json()["results"]:
            wrong.append(f"{row}?{name}: found {text_of(answer)[:200]}")

    assert not unknown, (
        f"New query parameters: {unknown}. Those that take the id of a row go into FILTERS in "
        f"{__file__}, the others into PLAIN."
    )
    assert not wrong, "\n".join(wrong)


@pytest.mark.database
@pytest.mark.parametrize("field", FORM)
def test_foreign_id_in_a_form_of_the_admin_is_refused(
    worlds: tuple[World, World], owner_of_both: User, client: Client, field: str
) -> None:
    home, away = worlds
    client.force_login(owner_of_both)
    show = Show.objects.get(pk=home.broadcast.show_id)
    page = f"/admin/streams/show/{show.pk}/change/"
    theirs, ours = FORM[field](away), FORM[field](home)

    refused = client.post(page, show_form(show, **theirs))
    named = _named_by(show)
    taken = client.post(page, show_form(show, **ours))

    assert str(next(iter(theirs.values()))) not in named
    # Shown again with the mistake, or turned away with a message.
    assert refused.status_code in (200, 302)
    assert taken.status_code == 302
    assert str(next(iter(ours.values()))) in _named_by(show)


def _named_by(show: Show) -> set[str]:
    """The ids of what a show and its cues point at."""
    show.refresh_from_db()
    named = {show.avatar_id, show.voice_id, show.logo_id, show.background}
    named |= set(show.outputs.values_list("pk", flat=True))
    for cue in show.cues.all():
        named |= {cue.clip_id, cue.card_picture_id}
    return {str(key) for key in named}


def _body_places(schema: Json) -> Iterator[tuple[Row, Path]]:
    for row, operation in operations(schema):
        contents = operation.get("requestBody", {}).get("content", {})
        body = contents.get("application/json", {}).get("schema")
        for path in sorted(set(_uuids(schema, body or {}))):
            yield row, path


def _filters(schema: Json) -> Iterator[tuple[Row, str]]:
    for row, operation in operations(schema):
        for name in parameters_of(operation) if row.method == "get" else ():
            yield row, name


def parameters_of(operation: Json) -> list[str]:
    """The names of what may stand in the query."""
    return [item["name"] for item in operation.get("parameters", []) if item["in"] == "query"]


def operations(schema: Json) -> Iterator[tuple[Row, Json]]:
    """Every operation of the schema, with its row in the table."""
    example = "00000000-0000-7000-8000-000000000000"
    for path, methods in schema["paths"].items():
        parts = [example if part.startswith("{") else part for part in path.split("/")]
        name = resolve("/".join(parts)).url_name
        for method, operation in methods.items():
            if (name, method) in EVERY_ROW:
                yield EVERY_ROW[name, method], operation


def _uuids(schema: Json, node: Json, path: Path = (), depth: int = 0) -> Iterator[Path]:
    """Where a body may hold the id of a row."""
    while "$ref" in node:
        node = schema["components"]["schemas"][node["$ref"].rsplit("/", 1)[1]]
    if depth > 8 or node.get("readOnly"):
        return
    if node.get("format") == "uuid" or (path and path[-1] in WORD_OR_ID):
        yield path
    for word in ("oneOf", "anyOf", "allOf"):
        for part in node.get(word, []):
            yield from _uuids(schema, part, path, depth + 1)
    if "items" in node:
        yield from _uuids(schema, node["items"], (*path, "[]"), depth + 1)
    for name, part in node.get("properties", {}).items():
        yield from _uuids(schema, part, (*path, name), depth + 1)


def _put(row: Row, world: World, extra: Any, user: User) -> Any:
    body = row.body(world)
    body = {**body, **extra} if isinstance(extra, dict) and isinstance(body, dict) else extra
    client = api_client(user)
    with transaction.atomic():
        answer = getattr(client, row.method)(
            address_of(row.name, world), body, format="json", headers=_headers(row, world)
        )
        transaction.set_rollback(True)
    return answer


def _get(row: Row, world: World, query: dict[str, str], user: User) -> Any:
    client = api_client(user)
    return client.get(address_of(row.name, world), query, headers=_headers(row, world))


def _headers(row: Row, world: World) -> dict[str, str]:
    return {"X-Organization": str(world.cast.organization.pk)} if is_collection(row) else {}
