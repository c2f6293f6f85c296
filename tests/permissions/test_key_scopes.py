"""Every route of the API with API keys: each scope opens what it names and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.roles import SCOPES
from accounts.services.api_keys import with_needed_views
from tests.factories import make_api_key
from tests.permissions.asking import (
    ANYBODY,
    SECRET,
    SIGNED_IN,
    WATCH,
    Row,
    ask,
    text_of,
)
from tests.permissions.world import World, keep_cached
from tests.test_permission_matrix import ROWS

pytestmark = pytest.mark.django_db
Key = tuple[frozenset[str], str]
# What a route asks for besides the permission of its row, about what the body names.
NEEDS_TOO = {("broadcast-outputs", "post"): "output.view"}
# Whatever its scopes: every key may read whose it is; only people come and go.
FOR_EVERY_KEY = {("organization", "get")}
FOR_PEOPLE = {("organization-leave", "post")}
# Refused to any key before the organization is looked up, so it tells nothing of it.
REFUSED_FIRST = FOR_PEOPLE | {
    ("organization-restore", "post"),
    ("organization-transfer", "post"),
}


def expected_of_key(row: Row, scopes: frozenset[str]) -> tuple[int, ...]:
    """What a key with these scopes may be answered."""
    if row.rule in (ANYBODY, SECRET):
        return row.answers if row.rule == ANYBODY else (404,)
    if row.rule == SIGNED_IN:
        return row.answers if row.is_for_keys else (403,)
    if row.rule == WATCH:
        # To whom a private show is closed, it does not exist.
        wanted = "recording.view" if row.name.startswith("recording") else "broadcast.view"
        return row.answers if wanted in with_needed_views(scopes) else (403, 404)
    if row.key in FOR_EVERY_KEY | FOR_PEOPLE:
        return row.answers if row.key in FOR_EVERY_KEY else (403,)
    needed = {row.rule, NEEDS_TOO.get(row.key, row.rule)}
    return row.answers if needed <= with_needed_views(scopes) else (403,)


def test_key_with_the_scope_passes_and_with_all_others_does_not(
    worlds: tuple[World, World],
) -> None:
    home = worlds[0]
    keys = {scope: _key(home, {scope, *NEEDS_TOO.values()}) for scope in SCOPES}
    without = {scope: _key(home, _all_but(scope)) for scope in SCOPES}
    everything = _key(home, SCOPES)

    wrong = []
    for row in ROWS:
        asked = [keys[row.rule], without[row.rule]] if row.rule in SCOPES else [everything]
        wrong += _wrong_answers(row, home, asked)

    assert not wrong, "\n".join(wrong)


@pytest.mark.long
def test_every_scope_on_every_route_at_home_and_elsewhere(worlds: tuple[World, World]) -> None:
    home, away = worlds
    keys = [_key(home, {scope}) for scope in sorted(SCOPES)]

    wrong = []
    for row in ROWS:
        wrong += _wrong_answers(row, home, keys)
        if row.rule not in (ANYBODY, SECRET, SIGNED_IN):
            wrong += _wrong_answers(row, away, keys, foreign=True)

    assert not wrong, "\n".join(wrong)


def _all_but(scope: str) -> set[str]:
    """Every scope that does not bring this one along."""
    return {item for item in SCOPES if scope not in with_needed_views(frozenset({item}))}


def _key(world: World, scopes: Any) -> Key:
    return frozenset(scopes), make_api_key(world.cast, *scopes)[1]


def _wrong_answers(row: Row, world: World, keys: list[Key], *, foreign: bool = False) -> list[str]:
    keep_cached(world)
    found = []
    for scopes, plain in keys:
        answer = ask(row, world, f"Api-Key {plain}")
        elsewhere = (403,) if row.key in REFUSED_FIRST else (404,)
        allowed = elsewhere if foreign else expected_of_key(row, scopes)
        if answer.status_code not in allowed:
            name = sorted(scopes) if len(scopes) < 4 else f"{len(scopes)} scopes"
            found.append(f"{row} by key {name}: {answer.status_code} {text_of(answer)[:150]}")
    return found
