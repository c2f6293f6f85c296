"""A new installation gets one administrator, whose password is kept for its owner only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from accounts.models import Organization, User
from avatars.models import Avatar
from livestudio.first_run import ensure_administrator, write_private


@pytest.fixture(autouse=True)
def _own_data(db: None, settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path


def test_first_run_makes_an_administrator_with_an_organization(tmp_path: Path) -> None:
    made = ensure_administrator()

    assert made.is_new
    assert (made.user.username, made.user.is_superuser, made.user.is_staff) == ("admin", True, True)
    assert made.user.check_password(made.password)
    assert Avatar.objects.filter(organization=made.organization).exists()
    kept = tmp_path / "admin_password"
    assert kept.read_text().strip() == made.password
    assert kept.stat().st_mode & 0o777 == 0o600
    assert made.password not in repr(made)


def test_later_runs_make_nothing() -> None:
    first, second = ensure_administrator(), ensure_administrator()

    assert not second.is_new
    assert (second.user, second.password) == (first.user, first.password)
    assert (User.objects.count(), Organization.objects.count()) == (1, 1)


def test_password_that_was_changed_is_not_shown() -> None:
    user = ensure_administrator().user
    user.set_password("something-else-now")
    user.save()

    assert ensure_administrator().password == ""


def test_private_file_replaces_an_open_one(tmp_path: Path) -> None:
    path = tmp_path / "demo.json"
    path.write_text("old")
    path.chmod(0o644)

    write_private(path, "new")

    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
