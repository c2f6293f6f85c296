"""Who asks too often is told to wait, in one form, at every route of the API."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.conf import settings as site_settings

from avatars.uploads import LANDMARKS_MAX_BYTES
from livestudio.common.parsers import LARGEST_BODY_BYTES
from livestudio.urls import api_patterns
from livestudio.web_limits import FILM_PATHS
from tests.factories import error_of
from tests.permissions.asking import Row, ask, routes
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


def test_no_route_promises_a_larger_body_than_reaches_it() -> None:
    views = {p.name: getattr(p.callback, "cls", None) for p in routes(api_patterns)}
    sizes = {name: getattr(view, "body_max_bytes", 0) for name, view in views.items()}
    fixed = {name: size for name, size in sizes.items() if isinstance(size, int)}
    films = {name for name, size in fixed.items() if size > LANDMARKS_MAX_BYTES}

    assert set(FILM_PATHS) == {b"/api/v1/avatars/", b"/admin/avatars/avatar/"}
    assert films == {"avatar-builds"}  # and `avatars`, whose limit depends on the form
    assert sizes.keys() - fixed.keys() == {"avatars"}
    assert max(fixed[name] for name in fixed.keys() - films) == LARGEST_BODY_BYTES


def test_nginx_lets_through_what_the_application_takes() -> None:
    template = site_settings.BASE_DIR / "deploy" / "nginx" / "livestudio.conf.template"
    limits = re.findall(r"^    client_max_body_size +(\d+)m;", template.read_text(), re.MULTILINE)

    assert [int(limit) << 20 for limit in limits] == [LARGEST_BODY_BYTES]


def _is_told_to_wait(answer: Any, row: Row, sent: str) -> bool:
    if answer.status_code == 401 and not sent:
        return True  # refused before it costs anything
    is_told = answer.status_code == 429 and 1 <= int(answer.headers["Retry-After"]) <= 60
    return is_told and bool(error_of(answer)["code"])
