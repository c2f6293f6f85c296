"""The pages that our mails link to: a new password, a confirmed address, an invitation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth import views as auth_views
from django.contrib.auth.forms import PasswordResetForm, SetPasswordForm
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views import View
from django.views.decorators.cache import never_cache

from accounts.errors import (
    CredentialsInvalidError,
    LinkInvalidError,
    MailOffError,
    SecondFactorInvalidError,
    SecondFactorRequiredError,
    SignInLockedError,
)
from accounts.models import Invitation, User
from accounts.services import (
    invitations,
    members,
    passwords,
    registration,
    sessions,
    two_factor,
    verification,
)
from accounts.services.hashing import AddressBusyError, SignInBusyError
from livestudio.common.errors import DomainError
from livestudio.common.reasons import translate_reason
from livestudio.common.throttles import SignInThrottle

if TYPE_CHECKING:
    _SetPasswordForm = SetPasswordForm[User]
else:
    _SetPasswordForm = SetPasswordForm

PASSWORD_PAGE = "accounts/pages/password.html"  # noqa: S105 - a file name
PLAIN = "text/plain; charset=utf-8"
SITE: dict[str, Any] = {"site_header": "LiveStudio", "site_title": "LiveStudio"}


def _step(name: str, title: Any) -> dict[str, Any]:
    """Which part of the password's page is shown."""
    return {**SITE, "step": name, "title": title}


class LimitedMixin(View):
    """A page that anybody may post to: not more often than the sign-in."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        throttle = SignInThrottle()
        if request.method == "POST" and not throttle.allow_request(request, None):
            text = gettext("Too many tries. Wait a minute.")
            answer = HttpResponse(text, status=429, content_type=PLAIN)
            answer["Retry-After"] = str(math.ceil(throttle.wait()))
            return answer
        try:
            return super().dispatch(request, *args, **kwargs)
        except (AddressBusyError, SignInBusyError) as error:
            text = translate_reason(error.message)
            answer = HttpResponse(text, status=error.status, content_type=PLAIN)
            answer["Retry-After"] = str(error.retry_after_seconds)
            return answer


class ForgottenPasswordForm(PasswordResetForm):
    """Django's field; the mail is ours."""

    def save(self, *args: Any, **kwargs: Any) -> None:
        request = kwargs["request"]
        passwords.request_reset(email=self.cleaned_data["email"], base_url=base_url(request))


class ForgottenPasswordView(LimitedMixin, auth_views.PasswordResetView):
    form_class = ForgottenPasswordForm
    template_name = PASSWORD_PAGE
    extra_context = _step("ask", _("Forgot your password?"))

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            return super().form_valid(form)
        except MailOffError:
            form.add_error("email", gettext("This site sends no mail. Ask an administrator."))
            return self.form_invalid(form)


class NewPasswordForm(_SetPasswordForm):
    def __init__(self, *args: Any, address: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.address = address

    def save(self, commit: bool = True) -> User:
        password = self.cleaned_data["new_password1"]
        passwords.set_password_by_mail(user=self.user, password=password, address=self.address)
        return self.user


class NewPasswordView(LimitedMixin, auth_views.PasswordResetConfirmView):
    form_class = NewPasswordForm
    template_name = PASSWORD_PAGE
    extra_context = SITE

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "address": _address(self.request)}


class LinkSentView(auth_views.PasswordResetDoneView):
    template_name = PASSWORD_PAGE
    extra_context = _step("sent", _("Look into your mailbox"))


class PasswordSetView(auth_views.PasswordResetCompleteView):
    template_name = PASSWORD_PAGE
    extra_context = _step("done", _("Your password is set"))


@method_decorator(never_cache, name="dispatch")
class VerifyEmailPage(LimitedMixin):
    """A button, not the visit alone: mail scanners visit every link."""

    def get(self, request: HttpRequest, token: str) -> HttpResponseBase:
        return _page(request, "verify_email", _("Confirm your address"))

    def post(self, request: HttpRequest, token: str) -> HttpResponseBase:
        try:
            user = verification.verify_email(token=token)
        except LinkInvalidError:
            return _invalid_link(request)
        return _page(request, "verify_email", _("Your address is confirmed"), {"verified": user})


class NewAccountForm(forms.Form):
    """For who has no account yet."""

    username = forms.CharField(label=_("Username"), max_length=20)
    email = forms.EmailField(label=_("Email address"))
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=128,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


class OwnAccountForm(forms.Form):
    """For who has one."""

    username = forms.CharField(label=_("Username"), max_length=20)
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=128,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    code = forms.CharField(
        label=_("Code"),
        help_text=_("Of your authenticator app, if you have switched two-factor sign-in on."),
        required=False,
        max_length=20,
    )


@method_decorator(never_cache, name="dispatch")
class InvitationPage(LimitedMixin):
    """Join with a new account or with one's own."""

    def get(self, request: HttpRequest, token: str) -> HttpResponseBase:
        return self._answer(request, token, {})

    def post(self, request: HttpRequest, token: str) -> HttpResponseBase:
        is_new = request.POST.get("account") == "new"
        form = (NewAccountForm if is_new else OwnAccountForm)(request.POST, auto_id="own_%s")
        shown = {"new_form" if is_new else "own_form": form}
        if not form.is_valid():
            return self._answer(request, token, shown)
        try:
            join = self._join_as_new if is_new else self._join_as_known
            membership = join(request, token, form.cleaned_data)
        except DomainError as error:
            _add_errors(form, error)
            answer = self._answer(request, token, shown)
            if error.retry_after_seconds is not None:
                answer.status_code = error.status
                answer["Retry-After"] = str(error.retry_after_seconds)
            return answer
        waits = verification.is_required() and membership.user.must_verify_email
        context = {"membership": membership, "waits_for_mail": waits}
        return _page(request, "invitation", _("Welcome"), context)

    def _answer(self, request: HttpRequest, token: str, forms_: dict[str, Any]) -> HttpResponse:
        try:
            invitation = invitations.find_invitation(token)
        except LinkInvalidError:
            return _invalid_link(request)
        context = {**_empty_forms(invitation), **forms_, "invitation": invitation}
        return _page(request, "invitation", _("An invitation"), context)

    def _join_as_new(self, request: HttpRequest, token: str, values: dict[str, Any]) -> Any:
        draft = members.Registration(values["username"], values["email"], values["password"], "")
        return registration.register(
            registration=draft,
            base_url=base_url(request),
            address=_address(request),
            invitation=token,
        )

    def _join_as_known(self, request: HttpRequest, token: str, values: dict[str, Any]) -> Any:
        user = sessions.check_password(
            username=values["username"],
            password=values["password"],
            address=_address(request),
        )
        two_factor.require_code(user=user, code=values["code"])
        return invitations.accept(token=token, user=user)


def base_url(request: HttpRequest) -> str:
    """The address of this site as the reader sees it, without a slash at its end."""
    return request.build_absolute_uri("/").rstrip("/")


def _address(request: HttpRequest) -> str:
    return SignInThrottle().get_ident(request)


def _empty_forms(invitation: Invitation) -> dict[str, forms.Form]:
    new = NewAccountForm(initial={"email": invitation.email}, auto_id="new_%s")
    return {"new_form": new, "own_form": OwnAccountForm(auto_id="own_%s")}


def _add_errors(form: forms.Form, error: DomainError) -> None:
    for detail in error.details:
        known = detail.field if detail.field in form.fields else None
        form.add_error(known, translate_reason(str(detail.message)))
    if not error.details:
        form.add_error(None, _text(error))


def _text(error: DomainError) -> str:
    """The refusal in the reader's language."""
    if isinstance(error, CredentialsInvalidError):
        return gettext("The username or the password is wrong.")
    if isinstance(error, SecondFactorRequiredError):
        return gettext("Enter the code of your authenticator app too.")
    if isinstance(error, SecondFactorInvalidError):
        return gettext("The code is wrong or was used already. Wait for the next one.")
    if isinstance(error, SignInLockedError):
        return gettext("Too many wrong passwords or codes. Wait before you try again.")
    known = {
        "already_member": gettext("This person is a member of the organization already."),
        "registration_closed": gettext("New accounts are not open here. Use one that you have."),
        "mail_off": gettext("This site sends no mail. Ask an administrator."),
    }
    return known.get(error.code, translate_reason(error.message))


def _invalid_link(request: HttpRequest) -> HttpResponse:
    return _page(request, "invalid_link", _("This link is not valid (any more)"), status=404)


def _page(
    request: HttpRequest,
    name: str,
    title: Any,
    context: dict[str, Any] | None = None,
    *,
    status: int = 200,
) -> TemplateResponse:
    shown = {**SITE, "title": title, **(context or {})}
    return TemplateResponse(request, f"accounts/pages/{name}.html", shown, status=status)
