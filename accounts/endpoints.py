"""The base of every REST view: sign-in, idempotent POST, the organization a request is about."""

from __future__ import annotations

import json
from contextlib import ExitStack
from functools import cached_property
from typing import Any, ClassVar, Final

from django.db import models, transaction
from django.http import HttpResponse
from rest_framework.generics import GenericAPIView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from accounts import idempotency
from accounts.access import lock_organizations, resolve_organization
from accounts.models import IdempotencyRecord, Organization, User
from livestudio.common.conditional import ConditionalView
from livestudio.common.errors import BodyTooLargeError
from livestudio.common.throttles import SignInThrottle
from livestudio.common.vault import VaultError

ORGANIZATION_HEADER = "X-Organization"
BODY_MAX_BYTES: Final = 2 * 1024 * 1024


class _AnsweredBeforeError(Exception):
    """Carries the kept answer past the handler."""

    def __init__(self, record: IdempotencyRecord) -> None:
        super().__init__()
        self.record = record


class IgnoreAccept(DefaultContentNegotiation):
    """Every view has one form of answer (JSON, a sound, a session description): no choice."""

    def select_renderer(
        self, request: Any, renderers: Any, format_suffix: str | None = None
    ) -> tuple[Any, str]:
        return renderers[0], renderers[0].media_type


class Endpoint(ConditionalView, GenericAPIView[Any]):
    """A REST view. Handlers parse, call a service and render; they hold no rules.

    `self.user` is the signed-in user, `self.organization` the one of X-Organization (or the only
    one): ask for it in views of collections, not where an object is named by its id.
    """

    serializer_class: type[BaseSerializer[Any]] | None = None
    content_negotiation_class = IgnoreAccept
    queryset: models.QuerySet[Any] | None = None
    # Answers kept for an Idempotency-Key are encrypted.
    answers_hold_secrets = False
    body_max_bytes: ClassVar[int] = BODY_MAX_BYTES
    _claimed: IdempotencyRecord | None = None

    @property
    def user(self) -> User:
        user = self.request.user
        assert isinstance(user, User)
        return user

    @property
    def address(self) -> str:
        """Who asks, as sign-ins are counted."""
        return SignInThrottle().get_ident(self.request)

    @cached_property
    def organization(self) -> Organization:
        """Raises OrganizationRequiredError (400), NotFoundError (404), ForbiddenError (403)."""
        return resolve_organization(self.user, self.request.headers.get(ORGANIZATION_HEADER))

    def valid(self, serializer_class: type[BaseSerializer[Any]], **kwargs: Any) -> Any:
        """The checked body of the request. Raises DRF's ValidationError."""
        serializer = serializer_class(
            data=self.request.data, context=self.get_serializer_context(), **kwargs
        )
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data

    def rendered(
        self, serializer_class: type[BaseSerializer[Any]], instance: Any, *, status: int = 200
    ) -> Response:
        """One object as an answer."""
        serializer = serializer_class(instance, context=self.get_serializer_context())
        return Response(serializer.data, status=status)

    def page(
        self, serializer_class: type[BaseSerializer[Any]], rows: models.QuerySet[Any]
    ) -> Response:
        """One cursor page of the rows that the filters in the query leave."""
        page = self.paginate_queryset(self.filter_queryset(rows))
        serializer = serializer_class(page, many=True, context=self.get_serializer_context())
        return self.get_paginated_response(serializer.data)

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        with ExitStack() as stack:
            if "If-Match" in request.headers:
                # What was compared must still be so when the change is written.
                stack.enter_context(transaction.atomic())
            return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if int(request.META.get("CONTENT_LENGTH") or 0) > self.body_max_bytes:
            raise BodyTooLargeError(
                f"The body is larger than {self.body_max_bytes / 1024 / 1024:g} MiB."
            )
        if request.method in ("GET", "HEAD"):
            self.answer_sooner(request, **kwargs)
        elif request.method == "POST":
            self._claim(request)
        elif "If-Match" in request.headers and isinstance(request.user, User):
            lock_organizations(request.user)
            self.require_match(request, **kwargs)

    def options(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        """Which methods there are here."""
        return HttpResponse(status=204, headers={"Allow": ", ".join(self.allowed_methods)})

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, _AnsweredBeforeError):
            return self._repeat(exc.record)
        try:
            return super().handle_exception(exc)
        except Exception:
            self._release()
            raise

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        answer = super().finalize_response(request, response, *args, **kwargs)
        if self._claimed is not None:
            self._keep(answer)
        return answer

    # --- Idempotency-Key -------------------------------------------------------------------------

    def _claim(self, request: Request) -> None:
        key = request.headers.get("Idempotency-Key")
        if not key or not isinstance(request.user, User):
            return
        content_type = (request.content_type or "").partition(";")[0]
        record = idempotency.claim(
            user=request.user,
            key=key,
            scope=idempotency.scope_of(
                request.headers.get(ORGANIZATION_HEADER, ""), request.get_full_path(), key
            ),
            fingerprint=idempotency.fingerprint(content_type, request.data),
        )
        if record.status is not None:
            raise _AnsweredBeforeError(record)
        self._claimed = record

    def _repeat(self, record: IdempotencyRecord) -> Response:
        try:
            body = idempotency.body_of(record)
        except VaultError as error:
            return super().handle_exception(error)
        headers = {"Idempotency-Replayed": "true"}
        if self.answers_hold_secrets:
            headers["Cache-Control"] = "no-store"
        return Response(body, status=record.status, headers=headers)

    def _keep(self, answer: Any) -> None:
        assert self._claimed is not None
        # Conflicts and failures pass; sounds and session descriptions are cheap to make again.
        if (
            not isinstance(answer, Response)
            or answer.status_code in (409, 429)
            or answer.status_code >= 500
        ):
            self._release()
            return
        body = json.loads(JSONRenderer().render(answer.data)) if answer.data is not None else None
        is_secret = self.answers_hold_secrets
        idempotency.complete(
            self._claimed, status=answer.status_code, body=body, is_secret=is_secret
        )
        self._claimed = None

    def _release(self) -> None:
        if self._claimed is not None:
            idempotency.forget(self._claimed)
            self._claimed = None


def base_url(request: Request) -> str:
    """The address of this site as the reader sees it, without a slash at its end."""
    return str(request.build_absolute_uri("/")).rstrip("/")
