"""Who asks too often is told to wait, in one form, at every route of the API."""

from __future__ import annotations

from typing import Any

import pytest

from tests.factories import error_of
from tests.permissions.asking import Row, ask
from tests.permissions.stand_ins import put_stand_ins
from tests.permissions.world import keep_cached, make_askers, make_worlds
from tests.test_permission_matrix import ROWS

pytestmark = pytest.mark.django_db
# Documents, which cost no row of the database and no password.
UNLIMITED = {"schema", "docs"}


def test_every_route_has_a_limit_and_says_how_long_to_wait(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_stand_ins(monkeypatch)
    world = make_worlds()[0]
    token = make_askers(world)[0].token
    settings.REQUESTS_PER_MINUTE = dict.fromkeys(settings.REQUESTS_PER_MINUTE, 0)
    keep_cached(world)

    wrong = [
        f"{row} {'with' if sent else 'without'} a token: {answer.status_code}"
        for row in ROWS
        if row.name not in UNLIMITED
        for sent in (f"Bearer {token}", "")
        if not _is_told_to_wait(answer := ask(row, world, sent), row, sent)
    ]

    assert not wrong, "\n".join(wrong)


def _is_told_to_wait(answer: Any, row: Row, sent: str) -> bool:
    if answer.status_code == 401 and not sent:
        return True  # refused before it costs anything
    is_told = answer.status_code == 429 and 1 <= int(answer.headers["Retry-After"]) <= 60
    return is_told and bool(error_of(answer)["code"])
