"""What a role allows, asked of the rows."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.roles import (
    ALL_PERMISSIONS,
    PERMISSIONS,
    SYSTEM,
    Role,
    has_permission,
    permissions_in,
)
from tests.factories import make_cast

pytestmark = pytest.mark.django_db


def test_all_rights_are_read_in_one_query(django_assert_num_queries: Any) -> None:
    cast = make_cast()

    with django_assert_num_queries(2):
        bobs = permissions_in(cast.bob, cast.organization)
        strangers = permissions_in(cast.charlie, cast.organization)

    assert (bobs, strangers) == (PERMISSIONS[Role.OPERATOR], frozenset())
    assert permissions_in(SYSTEM, cast.organization) == ALL_PERMISSIONS


def test_disabled_superuser_may_do_nothing() -> None:
    cast = make_cast()
    cast.alice.is_superuser, cast.alice.is_active = True, False

    assert permissions_in(cast.alice, cast.organization) == frozenset()


@pytest.mark.parametrize("actor", [None, SYSTEM])
def test_right_that_nobody_has_heard_of_is_a_fault(actor: Any) -> None:
    cast = make_cast()

    with pytest.raises(LookupError, match=r"show\.fly"):
        has_permission(actor or cast.charlie, "show.fly", cast.organization)
