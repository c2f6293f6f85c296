"""What happens across apps: lower layers call upwards only through what is written here."""

from __future__ import annotations

from accounts import hooks
from avatars.builtins import give_built_in_avatars
from voices.builtins import give_built_in_voices


def connect() -> None:
    """Called once when Django has loaded every app."""
    hooks.ORGANIZATION_CREATED[:] = [give_built_in_avatars, give_built_in_voices]
