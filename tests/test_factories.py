"""The cast that most tests begin with is the one that the services make."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.apps import apps
from django.db import transaction

from tests import factories
from tests.factories import PASSWORD, Cast, cast_by_services, make_cast

pytestmark = pytest.mark.django_db


class TakenBackError(Exception):
    """What was made is not wanted any more."""


def test_copied_cast_is_the_one_that_the_services_make() -> None:
    made = written_by(cast_by_services)
    make_cast_once()

    copied = written_by(make_cast)

    assert copied == made


def test_copies_share_no_id_and_no_password_is_lost() -> None:
    make_cast_once()
    first, second = ids_of(make_cast), ids_of(make_cast)
    cast = make_cast()

    assert not first & second
    assert all(user.check_password(PASSWORD) for user in (cast.alice, cast.bob, cast.charlie))
    assert cast.alice.memberships.get().organization == cast.organization


def make_cast_once() -> None:
    """There is one to copy, whichever tests ran before."""
    written_by(make_cast)
    assert factories._FIRST_CAST


def written_by(make: Any) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables after `make`, without what differs each time; taken back."""
    found: dict[str, list[dict[str, Any]]] = {}
    try:
        with transaction.atomic():
            names = names_of(make())
            for model in apps.get_models():
                rows = [plain(row, names) for row in model._base_manager.values()]
                found[model._meta.label] = sorted(rows, key=str)
            raise TakenBackError
    except TakenBackError:
        return found


def names_of(cast: Cast) -> dict[str, str]:
    """What their ids stand for."""
    return {str(getattr(cast, name).pk): name for name in Cast.__slots__}


def plain(row: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """With names for ids; of other ids and of times only that there is one."""
    return {
        column: "a moment"
        if isinstance(value, datetime)
        else names.get(str(value), "an id" if is_own(column) else value)
        for column, value in row.items()
    }


def is_own(column: str) -> bool:
    """Salted, or of a row that has no name."""
    return column in {"id", "object_id", "password"}


def ids_of(make: Any) -> set[Any]:
    """The ids of all rows of all tables after `make`."""
    ids: set[Any] = set()
    try:
        with transaction.atomic():
            make()
            for model in apps.get_models():
                if model._meta.app_label in ("accounts", "avatars", "voices"):
                    ids |= set(model._base_manager.values_list("pk", flat=True))
            raise TakenBackError
    except TakenBackError:
        return ids
