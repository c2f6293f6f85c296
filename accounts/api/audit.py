"""The audit trail of an organization: who did what, for its owners."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Final
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import get_organization_for
from accounts.api.serializers import UserSerializer
from accounts.endpoints import Endpoint
from accounts.models import AuditEntry
from accounts.roles import require_permission
from accounts.selectors import SYSTEM_NAME, AuditQuery, list_audit
from livestudio.common.csv_form import csv_text

CSV_MAX_ROWS: Final = 10_000
_HEADER: Final = ("at", "actor", "action", "object_type", "object_id", "data")


class AuditEntrySerializer(serializers.ModelSerializer[AuditEntry]):
    """actor: null = the system itself."""

    at = serializers.DateTimeField(source="created_at", read_only=True)
    actor = UserSerializer(read_only=True, allow_null=True)

    class Meta:
        model = AuditEntry
        fields = ("id", "at", "actor", "action", "object_type", "object_id", "data")


class AuditQuerySerializer(serializers.Serializer[Any]):
    actor = serializers.CharField(required=False, max_length=150)
    action = serializers.CharField(required=False, max_length=100)
    object_type = serializers.CharField(required=False, max_length=100)
    object = serializers.CharField(required=False, max_length=64)
    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False)


_PARAMETERS: Final = [
    OpenApiParameter("actor", description=f"A username; `{SYSTEM_NAME}` = the system itself."),
    OpenApiParameter("action", description="A verb or its beginning: `streams.show`."),
    OpenApiParameter("object_type", description="Such as `streams.show`."),
    OpenApiParameter("object", description="The id of the object."),
    OpenApiParameter("since", OpenApiTypes.DATETIME),
    OpenApiParameter("until", OpenApiTypes.DATETIME),
]


class _AuditEndpoint(Endpoint):
    other_parameters = tuple(AuditQuerySerializer().fields)

    def entries(self, request: Request, organization_id: UUID) -> QuerySet[AuditEntry]:
        organization = get_organization_for(self.user, organization_id)
        require_permission(self.user, "audit.view", organization)
        query = AuditQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        return list_audit(organization, AuditQuery(**query.validated_data))


class AuditView(_AuditEndpoint):
    serializer_class = AuditEntrySerializer

    @extend_schema(parameters=_PARAMETERS, responses={200: AuditEntrySerializer(many=True)})
    def get(self, request: Request, organization_id: UUID) -> Response:
        """Who did what, newest first. Secrets are never in it."""
        return self.page(AuditEntrySerializer, self.entries(request, organization_id))


class AuditTableView(_AuditEndpoint):
    pagination_class: ClassVar[Any] = None

    @extend_schema(parameters=_PARAMETERS, responses={(200, "text/csv"): OpenApiTypes.STR})
    def get(self, request: Request, organization_id: UUID) -> HttpResponse:
        """The newest 10,000 entries that fit, as a table for spreadsheets."""
        rows = self.entries(request, organization_id).order_by("-created_at", "-id")
        text = csv_text(_HEADER, (_row(entry) for entry in rows[:CSV_MAX_ROWS]))
        answer = HttpResponse(text, content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = 'attachment; filename="audit.csv"'
        answer["Cache-Control"] = "no-store"
        return answer


def _row(entry: AuditEntry) -> tuple[str, ...]:
    return (
        entry.created_at.isoformat(),
        entry.actor.username if entry.actor else SYSTEM_NAME,
        entry.action,
        entry.object_type,
        entry.object_id,
        json.dumps(entry.data, ensure_ascii=False, sort_keys=True),
    )
