"""The errors that services raise: each carries its code, HTTP status and whether to try again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

# Codes of failures that are not a DomainError: the framework's own refusals, with their status.
FRAMEWORK_CODES: dict[str, tuple[int, str]] = {
    "invalid": (400, "The request is not valid; `details` names the fields."),
    "parse_error": (400, "The body is not valid JSON."),
    "not_authenticated": (401, "Sign in first."),
    "authentication_failed": (401, "The sign-in or token is not valid."),
    "not_found": (404, "There is no such object, or it belongs to another organization."),
    "method_not_allowed": (405, "This address does not take this HTTP method."),
    "not_acceptable": (406, "The answer cannot be given in the wanted format."),
    "unsupported_media_type": (415, "The body has a content type that is not taken here."),
    "range_not_satisfiable": (416, "The file has no such part."),
    "throttled": (429, "Too many requests; wait for `Retry-After` seconds."),
    "csrf_failed": (403, "The request did not come from a page of this site."),
    "bad_request": (400, "The request cannot be understood."),
    "internal_error": (500, "The server failed; the failure was logged."),
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
    # Facts for programs, where the message alone holds them for people.
    data: Mapping[str, Any] | None = None

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


class BodyTooLargeError(DomainError):
    """The body is larger than this address takes."""

    code = "body_too_large"
    status = 413
    message = "The body is too large."


class EgressRefusedError(DomainError):
    """An address that a user gave must not be connected to."""

    code = "egress_refused"
    message = "This address must not be connected to."


def error_codes() -> dict[str, str]:
    """Every `code` the API can answer with, and what it means. The one exported list."""
    codes = {code: words for code, (_status, words) in FRAMEWORK_CODES.items()}
    for kind in refusals():
        codes.setdefault(kind.code, kind.message)
    return dict(sorted(codes.items()))


def codes_by_status() -> dict[int, list[str]]:
    """The same codes by the status that they come with."""
    found: dict[int, set[str]] = {}
    for code, (status, _words) in FRAMEWORK_CODES.items():
        found.setdefault(status, set()).add(code)
    for kind in refusals():
        found.setdefault(kind.status, set()).add(kind.code)
    return {status: sorted(codes) for status, codes in found.items()}


def refusals() -> Iterator[type[DomainError]]:
    """Every kind of refusal there is."""
    pending: list[type[DomainError]] = [DomainError]
    while pending:
        cls = pending.pop()
        yield cls
        pending.extend(cls.__subclasses__())
