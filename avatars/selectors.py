"""Questions about avatars that several doors ask."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Prefetch, QuerySet

from accounts.models import Organization
from avatars.models import Avatar, AvatarBuild
from inference.catalog import PRESENTERS


def find_avatar(avatar_id: UUID) -> Avatar | None:
    """Of any organization, for commands of the operator inside `every_organization()`."""
    return Avatar.objects.filter(pk=avatar_id).first()


def count_avatars(organization_id: UUID) -> int:
    """Presenters of an organization, as `GET avatars/` lists them."""
    return int(Avatar.objects.filter(organization=organization_id).count())


def list_avatars(organization: Organization) -> QuerySet[Avatar]:
    """With their versions; what was logged and found of each stays where it is."""
    versions = AvatarBuild.objects.defer("log", "facts", "options", "settings")
    avatars = Avatar.objects.for_organization(organization)
    return avatars.prefetch_related(Prefetch("builds", queryset=versions))


def voice_gender(avatar: Avatar) -> str:
    """female or male for a drawn presenter, empty for any other."""
    if avatar.engine != "puppet":
        return ""
    character = avatar.settings.get("character", PRESENTERS[0].character)
    return next((item.gender for item in PRESENTERS if item.character == character), "")
