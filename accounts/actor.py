"""Who acts in the admin."""

from __future__ import annotations

from django.http import HttpRequest

from accounts.models import User


def signed_in(request: HttpRequest) -> User:
    """The user of an admin request."""
    assert isinstance(request.user, User)
    return request.user
