"""The admin page on which owners export their organization, delete it and take that back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.access import get_managed_organization
from accounts.actor import signed_in
from accounts.admin.two_factor import PasswordForm, told_in_words
from accounts.models import Organization, OrganizationExport
from accounts.services import exports, organizations, sessions, two_factor
from livestudio.common.admin_site import studio_site
from livestudio.common.errors import DomainError, ForbiddenError, NotFoundError
from livestudio.common.signed_links import signature_of
from livestudio.common.throttles import SignInThrottle


class ExportForm(forms.Form):
    button = _("Make an export")
    with_recordings = forms.BooleanField(label=_("With the recordings, too"), required=False)


class DeletionForm(PasswordForm):
    """The name as it is written, and the sign-in again."""

    button = _("Delete the organization")
    name = forms.CharField(
        label=_("Name of the organization, as it is written"),
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    code = forms.CharField(
        label=_("Code, where two-factor sign-in is on"),
        max_length=20,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code"}),
    )
    without_export = forms.BooleanField(
        label=_("Nobody needs an export; delete it without one"), required=False
    )
    field_order = ("name", "password", "code", "without_export")


class RestoreForm(forms.Form):
    """Asks nothing."""

    button = _("Keep the organization")


FORMS: dict[str, type[forms.Form]] = {
    "export": ExportForm,
    "delete": DeletionForm,
    "restore": RestoreForm,
}


def organization_life_view(request: HttpRequest, organization_id: UUID) -> HttpResponseBase:
    """GET shows what is; POST does one of `FORMS`. 404 unless the user manages it."""
    try:
        organization = get_managed_organization(signed_in(request), organization_id)
    except NotFoundError as error:
        raise Http404 from error
    except ForbiddenError as error:
        raise PermissionDenied from error
    step = request.POST.get("step", "")
    if request.method != "POST" or step not in FORMS:
        return _page(request, organization)
    form = FORMS[step](request.POST)
    if not form.is_valid():
        return _page(request, organization, {step: form}, status=400)
    try:
        _take(request, organization, step, form.cleaned_data)
    except DomainError as error:
        form.add_error(None, " ".join(told_in_words(error)))
        answer = _page(request, organization, {step: form}, status=error.status)
        if error.retry_after_seconds is not None:
            answer["Retry-After"] = str(error.retry_after_seconds)
        return answer
    return HttpResponseRedirect(request.path)


def _take(
    request: HttpRequest, organization: Organization, step: str, values: dict[str, Any]
) -> None:
    user = signed_in(request)
    if step == "export":
        recordings = values["with_recordings"]
        exports.request_export(organization=organization, with_recordings=recordings, actor=user)
        return
    if step == "restore":
        organizations.restore_organization(organization=organization, actor=user)
        return
    address = SignInThrottle().get_ident(request)
    sessions.check_password(username=user.username, password=values["password"], address=address)
    two_factor.require_code(user=user, code=values["code"])
    organizations.request_deletion(
        organization=organization,
        name=values["name"],
        without_export=values["without_export"],
        actor=user,
    )


def _page(
    request: HttpRequest,
    organization: Organization,
    refused: dict[str, forms.Form] | None = None,
    *,
    status: int = 200,
) -> TemplateResponse:
    rows = OrganizationExport.objects.for_organization(organization).select_related("requested_by")
    context = {
        **studio_site().each_context(request),
        "title": gettext("Export and deletion"),
        "organization": organization,
        "exports": [(export, _file_url(export)) for export in rows.order_by("-created_at")[:20]],
        "told": _told(organization),
        **{f"{name}_form": form() for name, form in FORMS.items()},
        **{f"{name}_form": form for name, form in (refused or {}).items()},
    }
    template = "accounts/admin/organization_life.html"
    return TemplateResponse(request, template, context, status=status)


def _told(organization: Organization) -> str:
    """What becomes of the organization, or would."""
    if organization.delete_after is None:
        return gettext(
            "Every row and every file of the organization goes, %(days)s days from now; until then "
            "you can take it back here. Make an export first and download it."
        ) % {"days": organizations.GRACE.days}
    return gettext(
        "This organization is deleted at %(at)s with everything in it. Until then nothing starts "
        "in it, and an owner can take that back."
    ) % {"at": date_format(timezone.localtime(organization.delete_after), "SHORT_DATETIME_FORMAT")}


def _file_url(export: OrganizationExport) -> str:
    if export.state != OrganizationExport.State.READY:
        return ""
    path = reverse("export-file", args=[export.organization_id, export.pk])
    return f"{path}?signature={signature_of('export', export.pk)}"
