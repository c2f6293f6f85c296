"""People, organizations and API keys in the admin, and how people get into it."""

from __future__ import annotations

from django.contrib import admin

from accounts.admin.consents import ConsentAdmin
from accounts.admin.invitations import InvitationAdmin
from accounts.admin.keys import ApiKeyAdmin
from accounts.admin.people import AccountAdmin, MembershipAdmin, OrganizationAdmin
from accounts.admin.sign_in import LockingSignInForm
from accounts.admin.switching import choices, choose_organization, narrow
from accounts.admin.two_factor import two_factor_view
from livestudio.common.admin_site import Page, studio_site

__all__ = [
    "AccountAdmin", "ApiKeyAdmin", "ConsentAdmin", "InvitationAdmin", "MembershipAdmin",
    "OrganizationAdmin",
]  # fmt: skip

admin.site.login_form = LockingSignInForm
studio_site().add_page(Page("two-factor/", two_factor_view, "two_factor"))
studio_site().add_page(Page("organization/", choose_organization, "choose_organization"))
studio_site().set_switch(narrow, choices)
