"""Pages for people show and read times in the zone in which the organization's day begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from livestudio.common.admin_site import CHOSEN_ORGANIZATION
from metering.models import DEFAULT_ZONE, OrganizationQuota

# The API is in UTC, as its contract says.
PAGES: Final = ("/admin/", "/account/")


def local_time(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Any:
    """Middleware: until the answer is rendered, times are those of the user's organization."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        user: Any = request.user if request.path.startswith(PAGES) else None
        if user is None or not user.is_authenticated:
            return get_response(request)
        with timezone.override(page_zone(user, request.session.get(CHOSEN_ORGANIZATION, ""))):
            return get_response(request)

    return answer


def page_zone(user: Any, chosen: str) -> ZoneInfo:
    """The zone of the organization that the admin shows, else of the user's own ones.

    Where these differ it is that of the first by name; the page says which zone it shows.
    """
    own = user.memberships.order_by("organization__name")
    zones = dict(own.values_list("organization_id", "organization__quota__timezone"))
    wanted = _key(chosen)
    if wanted is None or not (user.is_superuser or wanted in zones):
        wanted = next(iter(zones), None)
    if wanted not in zones:
        rows = OrganizationQuota.objects.filter(organization=wanted)
        zones = dict(rows.values_list("organization_id", "timezone"))
    return _zone(zones.get(wanted) or DEFAULT_ZONE)


def _key(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # no longer in this machine's table of zones
        return ZoneInfo("UTC")
