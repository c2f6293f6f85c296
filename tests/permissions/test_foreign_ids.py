"""Ids of another organization in bodies and filters: refused, or nothing is found.

The places come from the OpenAPI schema: a new field or filter without a line here fails.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from django.db import transaction
from django.urls import resolve
from drf_spectacular.generators import SchemaGenerator

from accounts.models import User
from streams.models import Cue, Picture
from tests.factories import PASSWORD, api_client
from tests.permissions.asking import Row, address_of, is_collection, text_of
from tests.permissions.world import World, keep_cached
from tests.streams.pictures import make_picture
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
    ("shows", "[]"): lambda world: {"shows": [str(world.broadcast.show_id)]},
    ("[]", "clip"): lambda world: [_clip(world)],
    ("[]", "card", "picture"): lambda world: [_card(world)],
    ("[]",): _cue_order,
    ("member",): lambda world: {
        "member": str(world.cast.bob.memberships.get().pk),
        "password": PASSWORD,
    },
}
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
    "action", "after", "after_sequence", "before", "cursor", "engine", "from", "key_per_broadcast",
    "kind", "language", "name", "object_type", "ordering", "page_size", "role", "scheduled",
    "since", "source", "started_after", "started_before", "state", "text", "title", "to", "token",
    "type", "until", "visibility",
}  # fmt: skip
EVERY_ROW: Final = {row.key: row for row in ROWS}


@pytest.fixture(scope="module")
def schema() -> Json:
    found: Json = SchemaGenerator().get_schema(request=None, public=True)
    return found


def test_foreign_ids_in_bodies_are_refused(schema: Json, worlds: tuple[World, World]) -> None:
    home, away = worlds
    wrong = []
    for row, path in _body_places(schema):
        assert path in BODIES, (
            f"{row}: the body names a row at {'.'.join(path)}. Add to BODIES in {__file__} what is "
            "put there: ids of a world, and what else such a body needs to be taken."
        )
        keep_cached(home)
        own = _put(row, home, BODIES[path](home), home.cast.alice)
        foreign = _put(row, home, BODIES[path](away), home.cast.alice)
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


def test_foreign_ids_in_filters_find_nothing(schema: Json, worlds: tuple[World, World]) -> None:
    home, away = worlds
    unknown, wrong = [], []
    for row, name in _filters(schema):
        if name not in FILTERS:
            unknown += [f"{row}: {name}"] if name not in PLAIN else []
            continue
        keep_cached(home)
        answer = _get(row, home, {name: str(FILTERS[name](away))})
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
    if node.get("format") == "uuid":
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


def _get(row: Row, world: World, query: dict[str, str]) -> Any:
    client = api_client(world.cast.alice)
    return client.get(address_of(row.name, world), query, headers=_headers(row, world))


def _headers(row: Row, world: World) -> dict[str, str]:
    return {"X-Organization": str(world.cast.organization.pk)} if is_collection(row) else {}
