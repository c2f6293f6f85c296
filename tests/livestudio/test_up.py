"""`manage.py up` refuses what cannot work before it starts anything, in one line."""

from __future__ import annotations

import errno
import shutil
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from livestudio.management.commands import up


@pytest.fixture(autouse=True)
def _starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up, "Site", lambda *_, **__: pytest.fail("it started"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "0"], "--port 0 cannot be used. Allowed: a number from 1 to 65535."),
        (["--port", "99999"], "--port 99999 cannot be used"),
        (["--port", "x"], "invalid int value: 'x'"),
        (["--host", "192.0.2.1"], "Cannot listen on 192.0.2.1"),
        (["--host", "two words"], "Cannot listen on two words"),
    ],
)
def test_place_that_cannot_be_listened_on_is_refused(arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError) as refusal:
        call_command("up", *arguments)

    assert words in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.parametrize("seconds", ["ten", "-1", "604801"])
def test_seconds_that_are_no_number_are_refused(
    monkeypatch: pytest.MonkeyPatch, seconds: str
) -> None:
    monkeypatch.setenv("SECONDS", seconds)

    with pytest.raises(CommandError, match=f"SECONDS='{seconds}' cannot be used"):
        call_command("up")


def test_full_disk_is_told_before_the_start(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=3 * 2**20))
    monkeypatch.setattr(up, "_require_free_port", lambda *_: None)

    with pytest.raises(CommandError) as refusal:
        call_command("up")

    assert str(refusal.value).startswith(f"The disk is full: 3 MiB are free in {settings.DATA_DIR}")


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("database or disk is full"),
        OSError(errno.ENOSPC, "No space left on device", "/data/secret_key"),
    ],
)
def test_disk_that_fills_meanwhile_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, settings: Any, error: Exception
) -> None:
    site = MagicMock()
    builder = site.build_idle_loop.return_value
    monkeypatch.setattr(up, "Site", lambda *_, **__: site)
    monkeypatch.setattr(up, "_require_free_port", lambda *_: None)
    monkeypatch.setattr(up, "_require_disk", lambda: None)
    monkeypatch.setattr(up.signal, "signal", lambda *_: None)
    monkeypatch.setattr(up, "call_command", MagicMock(side_effect=error))

    with pytest.raises(CommandError) as refusal:
        call_command("up")

    assert str(refusal.value).startswith(f"The disk of {settings.DATA_DIR} is full (")
    assert len(str(refusal.value).splitlines()) == 1
    builder.kill.assert_called_once_with()
