"""Hostile texts in every field, filter, address and header: refused, or kept as they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from django.db import transaction
from drf_spectacular.generators import SchemaGenerator

from tests.factories import api_client, error_of
from tests.permissions.asking import Row, address_of, is_collection, text_of
from tests.permissions.stand_ins import put_stand_ins
from tests.permissions.test_foreign_ids import operations, parameters_of
from tests.permissions.world import World, keep_cached, make_worlds
from tests.security.corpora import BODIES, HEADERS, NUMBERS, TEXTS
from tests.test_permission_matrix import ROWS

pytestmark = pytest.mark.django_db
Json = dict[str, Any]
Path = tuple[str, ...]

WITH_BODY: Final = [row for row in ROWS if row.method in ("post", "put", "patch")]
JSON_ROWS: Final = [row for row in WITH_BODY if row.content_type == "application/json"]
PAYLOADS_IN_FAST_TIER: Final = 1


@pytest.fixture(scope="module")
def schema() -> Json:
    found: Json = SchemaGenerator().get_schema(request=None, public=True)
    return found


@pytest.fixture
def world(db: None, monkeypatch: pytest.MonkeyPatch) -> World:
    put_stand_ins(monkeypatch)
    return make_worlds()[0]


def test_some_hostile_texts_in_every_field(schema: Json, world: World) -> None:
    """Other texts in each field, so that every text meets many fields."""
    step = PAYLOADS_IN_FAST_TIER
    asked = [
        (row, path, TEXTS[(number * step + item) % len(TEXTS)])
        for number, (row, path) in enumerate(_text_fields(schema))
        for item in range(step)
    ]

    _assert_inert(asked, world)


@pytest.mark.long
def test_every_hostile_text_in_every_field(schema: Json, world: World) -> None:
    _assert_inert([(*place, text) for place in _text_fields(schema) for text in TEXTS], world)


def test_hostile_parameters_find_nothing_and_break_nothing(schema: Json, world: World) -> None:
    values = (*TEXTS[:-1], *NUMBERS)
    wrong = []
    number = 0
    for row, operation in operations(schema):
        for name in parameters_of(operation) if row.method == "get" else ():
            for item in range(2):
                number += 1
                value = values[(number + item * 7) % len(values)]
                wrong += _wrong_answer(row, world, f"?{name}={value[:30]!r}", query={name: value})

    assert number > 100
    assert not wrong, "\n".join(wrong)


@pytest.mark.long
def test_every_hostile_parameter(schema: Json, world: World) -> None:
    wrong = [
        text
        for row, operation in operations(schema)
        if row.method == "get"
        for name in parameters_of(operation)
        for value in (*TEXTS[:-1], *NUMBERS)
        for text in _wrong_answer(row, world, f"?{name}={value[:30]!r}", query={name: value})
    ]

    assert not wrong, "\n".join(wrong)


def test_some_bodies_of_no_form_are_refused(world: World) -> None:
    """Each route is sent two, in turn."""
    kinds = list(BODIES)
    for number, row in enumerate(JSON_ROWS):
        for kind in (kinds[2 * number % len(kinds)], kinds[(2 * number + 1) % len(kinds)]):
            _assert_refused(kind, [row], world)


@pytest.mark.long
@pytest.mark.parametrize("kind", BODIES)
def test_bodies_of_no_form_are_refused(kind: str, world: World) -> None:
    _assert_refused(kind, JSON_ROWS, world)


def _assert_refused(kind: str, rows: list[Row], world: World) -> None:
    wrong = []
    for row in rows:
        keep_cached(world)
        answer = _send(row, world, BODIES[kind])
        if answer.status_code >= 500 or (answer.status_code >= 400 and not _is_error(answer)):
            wrong.append(f"{row}: {answer.status_code} {text_of(answer)[:200]}")

    assert not wrong, "\n".join(wrong)


NAMES_OF_HEADERS = (
    "X-Organization", "X-Device-Id", "Idempotency-Key", "Accept", "Accept-Language", "Origin",
    "Range", "If-None-Match", "Referer", "User-Agent", "X-Forwarded-For", "X-Request-Id",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES_OF_HEADERS)
def test_hostile_headers_are_refused_or_ignored(name: str, world: World) -> None:
    """Servers refuse CR and LF before us; behind one that does not, nothing may echo them."""
    texts = (*HEADERS, "../../x", "' OR 1=1 --", "\u202e", "a" * 5000, "bytes=0-0,-1,9" + "9" * 40)
    wrong = []
    for row in (item for item in ROWS if item.name in ("shows", "recording-file")):
        for text in texts:
            wrong += _wrong_answer(row, world, f"{name}: {text[:30]!r}", headers={name: text})

    assert not wrong, "\n".join(wrong)


def test_hostile_addresses_are_not_found(world: World) -> None:
    client = api_client(world.cast.alice)
    hostile = (
        "..%2f..%2fetc%2fpasswd", "%00", "%0d%0aSet-Cookie:owned=1", "%ff", "%u202e",
        "1%20OR%201=1", "%2e%2e/%2e%2e", "{{7*7}}", "%252e%252e", "\u202e", "null", "-1",
        "9" * 400,
    )  # fmt: skip
    for prefix in (
        "shows/",
        "broadcasts/",
        "recordings/",
        "avatars/",
        "pictures/",
        "organizations/",
    ):
        for text in hostile:
            answer = client.get(f"/api/v1/{prefix}{text}/")
            assert answer.status_code in (400, 404), (prefix, text, answer.status_code)
            assert "Set-Cookie" not in answer.headers


def _assert_inert(asked: list[tuple[Row, Path, str]], world: World) -> None:
    wrong = []
    for row, path, text in asked:
        keep_cached(world)
        body = json.dumps(_merged(row.body(world), path, text)).encode()
        answer = _send(row, world, body)
        line = f"{row} {'.'.join(path)} = {text[:30]!r}: {answer.status_code}"
        if answer.status_code >= 500 or (answer.status_code >= 400 and not _is_error(answer)):
            wrong.append(f"{line} {text_of(answer)[:200]}")
        elif answer.status_code < 300 and "49" in _values(answer, path):
            wrong.append(f"{line} was reckoned")
        elif answer.status_code < 300 and not _is_kept(answer, path, text):
            wrong.append(f"{line} became {_values(answer, path)}")
    assert not wrong, "\n".join(wrong)


def _is_kept(answer: Any, path: Path, text: str) -> bool:
    """Whether the answer shows the text as it was sent, but for blanks around it; or not at all."""
    shown = _values(answer, path)
    return not shown or any(text.strip() == str(item).strip() for item in shown)


def _values(answer: Any, path: Path) -> list[Any]:
    if answer.headers.get("Content-Type") != "application/json":
        return []
    found: list[Any] = [answer.json()]
    for name in path:
        if name == "[]":
            found = [item for value in found if isinstance(value, list) for item in value]
        else:
            found = [value[name] for value in found if isinstance(value, dict) and name in value]
    return [item for item in found if isinstance(item, str)]


def _merged(body: Any, path: Path, text: str) -> Any:
    """The body with the text at a path; lists hold one item."""
    if not path:
        return text
    head, rest = path[0], path[1:]
    if head == "[]":
        first = body[0] if isinstance(body, list) and body else {}
        return [_merged(first, rest, text)]
    own = dict(body) if isinstance(body, dict) else {}
    return {**own, head: _merged(own.get(head), rest, text)}


def _text_fields(schema: Json) -> Iterator[tuple[Row, Path]]:
    for row, operation in operations(schema):
        contents = operation.get("requestBody", {}).get("content", {})
        if row.content_type == "application/json" and "application/json" in contents:
            for path in sorted(set(_texts(schema, contents["application/json"]["schema"]))):
                yield row, path


def _texts(schema: Json, node: Json, path: Path = (), depth: int = 0) -> Iterator[Path]:
    while "$ref" in node:
        node = schema["components"]["schemas"][node["$ref"].rsplit("/", 1)[1]]
    if depth > 8 or node.get("readOnly"):
        return
    if node.get("type") == "string":
        yield path
    for word in ("oneOf", "anyOf", "allOf"):
        for part in node.get(word, []):
            yield from _texts(schema, part, path, depth + 1)
    if "items" in node:
        yield from _texts(schema, node["items"], (*path, "[]"), depth + 1)
    for name, part in node.get("properties", {}).items():
        yield from _texts(schema, part, (*path, name), depth + 1)


def _send(row: Row, world: World, body: bytes) -> Any:
    client = api_client(world.cast.alice)
    with transaction.atomic():
        answer = client.generic(
            row.method.upper(),
            address_of(row.name, world),
            body,
            content_type="application/json",
            headers=_headers(row, world),
        )
        transaction.set_rollback(True)
    return answer


def _wrong_answer(
    row: Row,
    world: World,
    line: str,
    *,
    query: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> list[str]:
    keep_cached(world)
    client = api_client(world.cast.alice)
    query = {name: text.encode("utf-8", "replace").decode() for name, text in (query or {}).items()}
    with transaction.atomic():
        answer = getattr(client, row.method)(
            address_of(row.name, world),
            query or None,
            headers={**_headers(row, world), **(headers or {})},
        )
        transaction.set_rollback(True)
    if answer.status_code >= 500 or (answer.status_code >= 400 and not _is_error(answer)):
        return [f"{row} {line}: {answer.status_code} {text_of(answer)[:200]}"]
    echoed = [name for name, value in answer.headers.items() if "owned" in f"{name}{value}".lower()]
    return [f"{row} {line}: echoed in {echoed}"] if echoed else []


def _headers(row: Row, world: World) -> dict[str, str]:
    return {"X-Organization": str(world.cast.organization.pk)} if is_collection(row) else {}


def _is_error(answer: Any) -> bool:
    return bool(error_of(answer)["code"])
