"""The guard for addresses that users give, with the EGRESS_ALLOW of this site."""

from __future__ import annotations

from django.conf import settings

from inference.egress import (
    HTTP_SCHEMES,
    RTMP_SCHEMES,
    Destination,
    EgressError,
    check_syntax,
    check_url,
)
from livestudio.common.errors import EgressRefusedError
from livestudio.common.once import once

__all__ = ["HTTP_SCHEMES", "RTMP_SCHEMES", "Destination", "check_destination", "check_form"]


def check_destination(url: str, *, schemes: tuple[str, ...]) -> Destination:
    """The checked host, port and addresses. Resolves the name. Raises EgressRefusedError."""
    return once(("destination", url, schemes), lambda: _look_up(url, schemes))


def _look_up(url: str, schemes: tuple[str, ...]) -> Destination:
    try:
        return check_url(url, schemes=schemes, allow=settings.EGRESS_ALLOW)
    except EgressError as error:
        raise EgressRefusedError(str(error)) from error


def check_form(url: str, *, schemes: tuple[str, ...]) -> None:
    """Spelling and scheme only, without a look-up. Raises EgressRefusedError."""
    try:
        check_syntax(url, schemes=schemes)
    except EgressError as error:
        raise EgressRefusedError(str(error)) from error
