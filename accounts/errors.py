"""Why somebody is not let in."""

from __future__ import annotations

from livestudio.common.errors import (
    ConflictError,
    DomainError,
    TooManyRequestsError,
    UnavailableError,
)


class CredentialsInvalidError(DomainError):
    """Which of the two is wrong is not said."""

    code = "authentication_failed"
    status = 401
    message = "The username or the password is wrong."


class TokenInvalidError(DomainError):
    """The token is expired, forged or of another kind."""

    code = "token_invalid"
    status = 401
    message = "The token is expired or not valid. Refresh it or sign in again."


class SignedOutError(DomainError):
    """The session of this token was ended, here or from another device."""

    code = "signed_out"
    status = 401
    message = "This device was signed out. Sign in again."


class DeviceMismatchError(DomainError):
    """The token was given to another device."""

    code = "device_mismatch"
    status = 401
    message = "This token belongs to another device. Sign in on this one."


class SecondFactorRequiredError(DomainError):
    """The password is right; this user signs in with a code too."""

    code = "second_factor_required"
    status = 401
    message = "Enter the code of your authenticator app too."


class SecondFactorInvalidError(DomainError):
    """The code is wrong, too old or used."""

    code = "second_factor_invalid"
    status = 401
    message = "The code is wrong or was used already. Wait for the next one."


class TwoFactorOnError(ConflictError):
    """There is a confirmed app already."""

    code = "two_factor_on"
    message = "Two-factor sign-in is on already. Switch it off to change the app."


class TwoFactorOffError(ConflictError):
    """There is nothing to switch off or to renew."""

    code = "two_factor_off"
    message = "Two-factor sign-in is off."


class EmailUnverifiedError(DomainError):
    """EMAIL_VERIFICATION=required, and the link of our mail was not opened yet."""

    code = "email_unverified"
    status = 403
    message = "Confirm your e-mail address first: open the link in the mail that we sent you."


class LinkInvalidError(DomainError):
    """The link of a mail is too old, used, void or not whole."""

    code = "link_invalid"
    message = "This link is not valid (any more). Ask for a new one."


class AlreadyMemberError(ConflictError):
    """This person is in the organization already."""

    code = "already_member"
    message = "This person is a member of the organization already."


class ConsentRevokedError(ConflictError):
    """What was revoked stays so."""

    code = "consent_revoked"
    message = "This consent was revoked. Make a new record when the person agrees again."


class OrganizationEndingError(ConflictError):
    """The organization is going to be deleted."""

    code = "organization_ending"
    message = "This organization is going to be deleted. An owner can restore it."


class OrganizationBusyError(ConflictError):
    """Something of it is on air."""

    code = "organization_on_air"
    message = "Something of this organization is on air. End it first."


class TooManyOrganizationsError(ConflictError):
    """Each comes with quotas of its own: nobody opens more of them than they may use up."""

    code = "too_many_organizations"
    message = (
        "Nobody may own more organizations than this site allows. Ask an administrator of this "
        "site."
    )


class ExportRequiredError(ConflictError):
    """Nobody has taken a copy of what would be deleted."""

    code = "export_required"
    message = (
        "Export the organization first: there is no export of the last 24 hours. To delete it "
        "without one, say so."
    )


class MailOffError(UnavailableError):
    """This site was set up without mail."""

    code = "mail_off"
    retryable = False
    message = "This site sends no mail. Ask an administrator."


class ApiKeyInvalidError(DomainError):
    """The API key is unknown, revoked or has expired."""

    code = "api_key_invalid"
    status = 401
    message = (
        "This API key is not valid (any more). Ask an owner of your organization for a new one."
    )


class SignInLockedError(TooManyRequestsError):
    """Too many wrong passwords or codes; wait for Retry-After."""

    code = "sign_in_locked"
    message = "Too many wrong passwords or codes. Wait before you try again."


class CrossSiteError(DomainError):
    """A cookie was sent from a page of another site."""

    code = "csrf_failed"
    status = 403
    message = "The request did not come from a page of this site."


class RegistrationClosedError(DomainError):
    """REGISTRATION does not allow new accounts this way."""

    code = "registration_closed"
    status = 403
    message = "New accounts are not open here. Ask an administrator of this site."


class IdempotencyConflictError(ConflictError):
    """The first request with this key is still being answered."""

    code = "idempotency_in_progress"
    retryable = True
    message = "The first request with this Idempotency-Key is still being answered."


class IdempotencyReusedError(DomainError):
    """The key was used for a different request."""

    code = "idempotency_key_reused"
    status = 422
    message = "This Idempotency-Key was used for a different request."
