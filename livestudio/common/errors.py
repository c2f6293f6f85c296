"""The errors that services raise: each carries its code, HTTP status and whether to try again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

# Codes of failures that are not a DomainError: the framework's own refusals.
FRAMEWORK_CODES: dict[str, str] = {
    "invalid": "The request is not valid; `details` names the fields.",
    "parse_error": "The body is not valid JSON.",
    "not_authenticated": "Sign in first.",
    "authentication_failed": "The sign-in or token is not valid.",
    "not_found": "There is no such object, or it belongs to another organization.",
    "method_not_allowed": "This address does not take this HTTP method.",
    "not_acceptable": "The answer cannot be given in the wanted format.",
    "unsupported_media_type": "The body has a content type that is not taken here.",
    "throttled": "Too many requests; wait for `Retry-After` seconds.",
    "csrf_failed": "The request did not come from a page of this site.",
    "bad_request": "The request cannot be understood.",
    "internal_error": "The server failed; the failure was logged.",
}


@dataclass(frozen=True, slots=True)
class ErrorDetail:
    """One field that is wrong. field: dotted path such as `cues.0.text`, empty = the whole."""

    field: str
    code: str
    message: str


class DomainError(Exception):
    """A refusal in words a host understands. Subclasses set code, status and message."""

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 400
    retryable: ClassVar[bool] = False
    message: str = "This cannot be done."

    def __init__(
        self,
        message: str | None = None,
        *,
        details: tuple[ErrorDetail, ...] = (),
        retry_after_seconds: int | None = None,
    ) -> None:
        self.message = message or self.message
        self.details = details
        self.retry_after_seconds = retry_after_seconds
        super().__init__(self.message)


class InvalidInputError(DomainError):
    """A value breaks a rule of the domain."""

    code = "invalid"
    message = "The request is not valid."

    @classmethod
    def of(cls, field: str, message: str, code: str = "invalid") -> InvalidInputError:
        """The usual case: one field is wrong."""
        return cls(details=(ErrorDetail(field, code, message),))


class NotFoundError(DomainError):
    """No such object for this user; another organization's object looks the same."""

    code = "not_found"
    status = 404
    message = "There is no such object."


class ForbiddenError(DomainError):
    """The user belongs to the organization, but their role may not do this."""

    code = "forbidden"
    status = 403
    message = "Your role does not allow this."


class OrganizationRequiredError(DomainError):
    """The user belongs to several organizations and did not say which one is meant."""

    code = "organization_required"
    message = "You belong to several organizations: name one in the X-Organization header."


class ConflictError(DomainError):
    """The request does not fit the present state."""

    code = "conflict"
    status = 409
    message = "This does not fit the present state."


class UnavailableError(DomainError):
    """Something that is needed is down or full; the same request may work later."""

    code = "unavailable"
    status = 503
    retryable = True
    message = "This is not available right now. Try again soon."

    def __init__(
        self,
        message: str | None = None,
        *,
        details: tuple[ErrorDetail, ...] = (),
        retry_after_seconds: int | None = 5,
    ) -> None:
        super().__init__(message, details=details, retry_after_seconds=retry_after_seconds)


class TooManyRequestsError(DomainError):
    """A limit is reached; wait for the seconds given."""

    code = "throttled"
    status = 429
    retryable = True
    message = "Too many requests. Wait a moment."


class EgressRefusedError(DomainError):
    """An address that a user gave must not be connected to."""

    code = "egress_refused"
    message = "This address must not be connected to."


def error_codes() -> dict[str, str]:
    """Every `code` the API can answer with, and what it means. The one exported list."""
    codes = dict(FRAMEWORK_CODES)
    pending: list[type[DomainError]] = [DomainError]
    while pending:
        cls = pending.pop()
        codes.setdefault(cls.code, cls.message)
        pending.extend(cls.__subclasses__())
    return dict(sorted(codes.items()))
