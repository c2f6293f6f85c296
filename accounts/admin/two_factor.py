"""The page where those who may open the admin switch their own two-factor sign-in on and off."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.actor import signed_in
from accounts.errors import CredentialsInvalidError, SecondFactorInvalidError, SignInLockedError
from accounts.models import User
from accounts.services import sessions, two_factor
from livestudio.common.admin_site import studio_site
from livestudio.common.errors import DomainError, InvalidInputError
from livestudio.common.reasons import translate_reason
from livestudio.common.throttles import SignInThrottle


class CodeForm(forms.Form):
    code = forms.CharField(
        label=_("Code"),
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code"}),
    )


class PasswordForm(forms.Form):
    password = forms.CharField(
        label=_("Your password"),
        strip=False,
        max_length=128,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class PasswordAndCodeForm(PasswordForm, CodeForm):
    """Both steps of a sign-in."""


FORMS: dict[str, type[forms.Form]] = {
    "begin": PasswordForm,
    "confirm": CodeForm,
    "off": PasswordAndCodeForm,
}


def two_factor_view(request: HttpRequest) -> HttpResponseBase:
    """GET shows what is; POST takes one step: begin, confirm, off."""
    if request.method != "POST":
        return _page(request, _state(signed_in(request)))
    step = request.POST.get("step", "")
    if step not in FORMS:
        return HttpResponseRedirect(reverse("admin:two_factor"))
    form = FORMS[step](request.POST)
    if not form.is_valid():
        return _page(request, _state(signed_in(request)), form)
    try:
        codes = _take(request, step, form.cleaned_data)
    except DomainError as error:
        form.add_error(None, _text(error))
        answer = _page(request, _state(signed_in(request)), form, status=error.status)
        if error.retry_after_seconds is not None:
            answer["Retry-After"] = str(error.retry_after_seconds)
        return answer
    if codes:
        return _page(request, {"recovery_codes": codes})
    return HttpResponseRedirect(reverse("admin:two_factor"))


def _take(request: HttpRequest, step: str, values: dict[str, Any]) -> list[str]:
    user = signed_in(request)
    if step == "confirm":
        return two_factor.confirm(user=user, code=values["code"])
    address = SignInThrottle().get_ident(request)
    sessions.check_password(username=user.username, password=values["password"], address=address)
    if step == "begin":
        two_factor.enrol(user=user)
    else:
        two_factor.require_code(user=user, code=values["code"])
        two_factor.switch_off(user=user, actor=user)
    return []


def _state(user: User) -> dict[str, Any]:
    if two_factor.is_on(user):
        left = two_factor.recovery_codes_left(user)
        return {"is_on": True, "codes_left": left, "form": PasswordAndCodeForm()}
    enrolment = two_factor.pending_enrolment(user)
    form = CodeForm() if enrolment else PasswordForm()
    return {"enrolment": enrolment, "form": form}


def _page(
    request: HttpRequest,
    state: dict[str, Any],
    form: forms.Form | None = None,
    *,
    status: int = 200,
) -> TemplateResponse:
    context = {
        **studio_site().each_context(request),
        "title": gettext("Two-factor sign-in"),
        **state,
        **({"form": form} if form is not None else {}),
    }
    template = "accounts/admin/two_factor.html"
    return TemplateResponse(request, template, context, status=status)


def told_in_words(error: DomainError) -> list[str]:
    """The refusal and each of its details, in the reader's language."""
    details = [translate_reason(str(item.message)) for item in error.details]
    general = _text(error)
    return details if details and error.message == InvalidInputError.message else [general]


def _text(error: DomainError) -> str:
    """The refusal in the reader's language."""
    if isinstance(error, CredentialsInvalidError):
        return gettext("The password is wrong.")
    if isinstance(error, SecondFactorInvalidError):
        return gettext("The code is wrong or was used already. Wait for the next one.")
    if isinstance(error, SignInLockedError):
        return gettext("Too many wrong passwords or codes. Wait before you try again.")
    return translate_reason(error.message)
