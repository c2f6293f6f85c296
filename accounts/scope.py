"""The tenant in scope: in a request no row of an organization loads that its user is not in.

Every model that belongs to an organization asks here when one of its rows is read from the
database, so nothing has to be remembered: a query that forgot its organization is refused with
404 and an error in the log. Outside of requests (control loop, runner link, commands) the system
itself acts and everything is open.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from asgiref.sync import iscoroutinefunction
from django.db import models
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from livestudio.common.errors import NotFoundError
from livestudio.common.log import get_logger

log = get_logger(__name__)


class ForeignRowError(NotFoundError):
    """A row of an organization that this request has no business with; looks like a missing one."""


class Scope:
    """The organizations of one user, and those that `accounts.access` let in beside them."""

    def __init__(self, user_of: Callable[[], Any]) -> None:
        self._user_of = user_of
        self._admitted: set[UUID] = set()
        self._own: set[UUID] | None = None

    def admit(self, organization_id: UUID) -> None:
        """Let rows of one more organization load."""
        self._admitted.add(organization_id)

    def holds(self, organization_id: UUID) -> bool:
        """Whether its rows may load here."""
        if organization_id in self._admitted or organization_id in (self._own or ()):
            return True
        user = self._user_of()
        if not user.is_authenticated:
            return False
        if user.is_superuser:
            return True
        # Asked again for each unknown one: the user may have joined it in this request.
        self._own = set(user.memberships.values_list("organization_id", flat=True))
        return organization_id in self._own


_current: ContextVar[Scope | None] = ContextVar("organization_scope", default=None)


def require_in_scope(row: models.Model) -> None:
    """Called for each owned row that is read. Raises ForeignRowError."""
    scope = _current.get()
    if scope is None:
        return
    # Not loaded by only(): Django looks so for what depends on a row that is deleted.
    organization_id = row.__dict__.get("organization_id")
    if organization_id is not None and not scope.holds(organization_id):
        log.error("row of another organization refused", model=row._meta.label, row_id=str(row.pk))
        raise ForeignRowError


def enter(user: Any) -> None:
    """From here on this task reads rows for this user alone (a websocket after its ticket)."""
    _current.set(Scope(lambda: user))


def admit(organization_id: UUID) -> None:
    """Rows of this organization may load until the request ends: access has decided so."""
    scope = _current.get()
    if scope is not None:
        scope.admit(organization_id)


@contextmanager
def every_organization() -> Iterator[None]:
    """Read across organizations: to find what a secret or public address names, and for sums."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def scope_of(user_of: Callable[[], Any]) -> Iterator[None]:
    """Read rows for one user; who that is may turn out later."""
    token = _current.set(Scope(user_of))
    try:
        yield
    finally:
        _current.reset(token)


@sync_and_async_middleware
def organization_scope(get_response: Any) -> Any:
    """Middleware: each request reads the rows of its user's organizations."""
    if iscoroutinefunction(get_response):

        async def in_scope(request: HttpRequest) -> HttpResponseBase:
            with scope_of(lambda: request.user):
                answer: Awaitable[HttpResponseBase] = get_response(request)
                return await answer

        return in_scope

    def in_scope_sync(request: HttpRequest) -> HttpResponseBase:
        with scope_of(lambda: request.user):
            answer: HttpResponseBase = get_response(request)
            return answer

    return in_scope_sync
