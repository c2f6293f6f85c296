"""What a row of the API's table says, and one request that puts it to the proof."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import transaction
from django.urls import URLPattern, URLResolver, reverse

from livestudio.urls import api_patterns
from tests.factories import api_client
from tests.permissions.world import ANONYMOUS, STRANGER, Asker, World

METHODS: Final = ("get", "post", "put", "patch", "delete")

# What a row says instead of a permission.
ANYBODY: Final = "anybody"  # no sign-in; what is refused is refused for other reasons
SIGNED_IN: Final = "signed in"  # about the user alone, whatever the organization
WATCH: Final = "watch"  # of a private show: every member, nobody else
SECRET: Final = "secret address"  # the address itself is the right; without it nothing is found
WORDS: Final = (ANYBODY, SIGNED_IN, WATCH, SECRET)


@dataclass(frozen=True, slots=True)
class Row:
    """rule: a permission, or one of the words above. body: made from the world."""

    name: str
    method: str
    rule: str
    body: Callable[[World], Any] = field(default=lambda world: {})
    content_type: str = "application/json"
    # What those who may are answered; more than one where the object itself may refuse.
    answers: tuple[int, ...] = (200, 201, 202, 204)
    # Whether an API key may too, where no permission decides.
    is_for_keys: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.name, self.method

    def __str__(self) -> str:
        return f"{self.name}-{self.method}"


def expected(row: Row, asker: Asker) -> tuple[int, ...]:
    """The statuses that somebody may be answered with."""
    if row.rule in (ANYBODY, SECRET):
        answers = row.answers if row.rule == ANYBODY else (404,)
        # A sign-in that is over may be refused even where none is asked for.
        return (*answers, 401) if asker.role == ANONYMOUS and asker.token else answers
    if asker.role == ANONYMOUS:
        return (401,)
    if row.rule == SIGNED_IN:
        return row.answers
    if asker.role == STRANGER:
        return (404,)
    permission = "broadcast.view" if row.rule == WATCH else row.rule
    return row.answers if asker.may(permission) else (403,)


def ask(row: Row, world: World, authorization: str, *, names_organization: bool = True) -> Any:
    """One request, undone afterwards so that the next asker meets the same world."""
    path, body = address_of(row.name, world), row.body(world)
    client = api_client()
    if authorization:
        client.credentials(HTTP_AUTHORIZATION=authorization)
    # A stranger who names the organization must not find it either.
    organization = str(world.cast.organization.pk)
    is_named = names_organization and is_collection(row)
    options: dict[str, Any] = {"headers": {"X-Organization": organization} if is_named else {}}
    with transaction.atomic():
        if row.method == "get":
            answer = client.get(path, **options)
        elif row.content_type != "application/json":
            kind = row.content_type
            answer = client.generic(row.method.upper(), path, body, content_type=kind, **options)
        else:
            answer = getattr(client, row.method)(path, body, format="json", **options)
        transaction.set_rollback(True)
    return answer


def ask_as(row: Row, world: World, asker: Asker) -> Any:
    """The request with the sign-in of a person."""
    return ask(row, world, f"Bearer {asker.token}" if asker.token else "")


def text_of(answer: Any) -> str:
    """The body of an answer, streamed or not."""
    if getattr(answer, "streaming", False):
        return ""
    return bytes(answer.content).decode(errors="replace")


def is_collection(row: Row) -> bool:
    """Whether the request has to name an organization: nothing in the address does."""
    return row.rule not in WORDS and not _pattern(row.name).pattern.converters


def address_of(name: str, world: World) -> str:
    """The address of a route, about the rows of a world."""
    names = _pattern(name).pattern.converters
    missing = sorted(set(names) - set(world.ids))
    assert not missing, (
        f"The address of {name!r} names {missing}: add each to `World.ids` in "
        "tests/permissions/world.py, with a row made in `_fill`."
    )
    return reverse(name, kwargs={key: world.ids[key] for key in names})


def routes(patterns: list[Any]) -> Iterator[URLPattern]:
    """Every address below some patterns."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns)
        else:
            yield pattern


def methods_of(pattern: URLPattern) -> list[str]:
    """The methods that a view answers."""
    view: Any = pattern.callback
    view_class = getattr(view, "cls", None) or getattr(view, "view_class", None)
    return [method for method in METHODS if hasattr(view_class, method)] if view_class else ["get"]


def _pattern(name: str) -> URLPattern:
    return next(item for item in routes(api_patterns) if item.name == name)
