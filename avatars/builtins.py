"""The presenters every organization starts with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from accounts.models import Organization
from avatars.models import Avatar
from inference.catalog import PRESENTERS

OWN_ART_LICENCE: Final = "Drawn for LiveStudio, Apache-2.0"


@dataclass(frozen=True, slots=True)
class BuiltInAvatar:
    name: str
    engine: str
    settings: dict[str, Any] = field(default_factory=dict)


BUILT_IN_AVATARS: Final = tuple(
    BuiltInAvatar(item.label, "puppet", {"character": item.character}) for item in PRESENTERS
)


def give_built_in_avatars(organization: Organization) -> None:
    """Copies of the built-in presenters, which the organization may change or delete."""
    Avatar.objects.bulk_create(
        Avatar(
            organization=organization,
            name=item.name,
            engine=item.engine,
            settings=dict(item.settings),
            licences=[OWN_ART_LICENCE],
        )
        for item in BUILT_IN_AVATARS
    )
