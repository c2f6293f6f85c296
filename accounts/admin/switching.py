"""Which organization the admin shows, for those who belong to several."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.access import organizations_for
from accounts.actor import signed_in
from accounts.models import Organization, User
from livestudio.common.admin_site import CHOSEN_ORGANIZATION
from livestudio.common.buttons import pressed_on

CHOICES_MAX: Final = 100


@pressed_on(lambda: reverse("admin:index"))
def choose_organization(request: HttpRequest) -> HttpResponseRedirect:
    """Show only one organization from now on; all of the user's again where none is named."""
    chosen = request.POST.get("organization", "")
    if narrow(signed_in(request), chosen):
        request.session[CHOSEN_ORGANIZATION] = chosen
    else:
        request.session.pop(CHOSEN_ORGANIZATION, None)
    back = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(back, {request.get_host()}, request.is_secure())
    return HttpResponseRedirect(back if is_ours else reverse("admin:index"))


def narrow(user: User, organization_id: str) -> bool:
    """Narrow this request of the admin to one organization; False where the user has no such."""
    try:
        key = UUID(organization_id)
    except ValueError:
        return False
    if not organizations_for(user).filter(pk=key).exists():
        return False
    user.focus_id = key
    return True


def choices(user: User) -> list[Organization]:
    """What there is to choose from; empty where there is no choice."""
    found = list(organizations_for(user).order_by("name")[:CHOICES_MAX])
    return found if len(found) > 1 else []
