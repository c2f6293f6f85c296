"""The base of every REST view: sign-in, idempotent POST, the organization a request is about."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from django.db import models
from rest_framework.generics import GenericAPIView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from accounts import idempotency
from accounts.access import resolve_organization
from accounts.models import IdempotencyRecord, Organization, User

ORGANIZATION_HEADER = "X-Organization"


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


class Endpoint(GenericAPIView[Any]):
    """A REST view. Handlers parse, call a service and render; they hold no rules.

    `self.user` is the signed-in user, `self.organization` the one of X-Organization (or the only
    one): ask for it in views of collections, not where an object is named by its id.
    """

    serializer_class: type[BaseSerializer[Any]] | None = None
    content_negotiation_class = IgnoreAccept
    queryset: models.QuerySet[Any] | None = None
    # Answers kept for an Idempotency-Key are encrypted.
    answers_hold_secrets = False
    _claimed: IdempotencyRecord | None = None

    @property
    def user(self) -> User:
        user = self.request.user
        assert isinstance(user, User)
        return user

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
        """One cursor page of rows."""
        page = self.paginate_queryset(rows)
        serializer = serializer_class(page, many=True, context=self.get_serializer_context())
        return self.get_paginated_response(serializer.data)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        key = request.headers.get("Idempotency-Key")
        if request.method == "POST" and key and isinstance(request.user, User):
            record = idempotency.claim(
                user=request.user, key=key, fingerprint=_fingerprint(request)
            )
            if record.status is not None:
                raise _AnsweredBeforeError(record)
            self._claimed = record

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, _AnsweredBeforeError):
            headers = {"Idempotency-Replayed": "true"}
            body = idempotency.body_of(exc.record)
            return Response(body, status=exc.record.status, headers=headers)
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


def _fingerprint(request: Request) -> str:
    content_type = request.content_type or ""
    # An upload may be larger than memory allows: its key is judged by address alone.
    body = b"" if content_type.startswith("multipart/") else request.body
    return idempotency.fingerprint_request(
        str(request.method), request.get_full_path(), content_type.partition(";")[0], body
    )
