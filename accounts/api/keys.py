"""API keys of an organization, for its owners."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import get_managed_organization, get_row
from accounts.endpoints import Endpoint
from accounts.models import ApiKey
from accounts.roles import SCOPES
from accounts.services import api_keys


@extend_schema_field(serializers.ListField(child=serializers.ChoiceField(choices=sorted(SCOPES))))
class ScopesField(serializers.ListField):
    """Scopes by name. The service refuses a name that does not exist, and lists those that do."""

    child = serializers.CharField(max_length=50)


class ApiKeySerializer(serializers.ModelSerializer[ApiKey]):
    scopes = ScopesField(read_only=True)
    created_by = serializers.CharField(
        source="created_by.username", default=None, read_only=True, allow_null=True
    )

    class Meta:
        model = ApiKey
        fields = (
            "id", "name", "prefix", "scopes", "created_by", "created_at", "expires_at",
            "last_used_at",
        )  # fmt: skip


class NewApiKeySerializer(ApiKeySerializer):
    """The one answer that holds the key itself."""

    key = serializers.SerializerMethodField()

    class Meta(ApiKeySerializer.Meta):
        fields = (*ApiKeySerializer.Meta.fields, "key")  # type: ignore[assignment]

    def get_key(self, row: ApiKey) -> str:
        return str(self.context["key"])


class ApiKeyWriteSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=100)
    scopes = ScopesField(max_length=100, help_text="What the key may do; reading comes with each.")
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)


class ApiKeysView(Endpoint):
    serializer_class = ApiKeySerializer
    answers_hold_secrets = True

    @extend_schema(responses={200: ApiKeySerializer(many=True)})
    def get(self, request: Request, organization_id: UUID) -> Response:
        """The keys that were not revoked."""
        organization = get_managed_organization(self.user, organization_id)
        rows = ApiKey.objects.for_organization(organization).filter(revoked_at=None)
        return self.page(ApiKeySerializer, rows.select_related("membership", "created_by"))

    @extend_schema(request=ApiKeyWriteSerializer, responses={201: NewApiKeySerializer})
    def post(self, request: Request, organization_id: UUID) -> Response:
        """Make a key. Keep `key` of the answer: it is never shown again."""
        organization = get_managed_organization(self.user, organization_id)
        body = self.valid(ApiKeyWriteSerializer)
        draft = api_keys.ApiKeyDraft(body["name"], frozenset(body["scopes"]), body["expires_at"])
        row, key = api_keys.create_api_key(organization=organization, draft=draft, actor=self.user)
        context = {**self.get_serializer_context(), "key": key}
        answer = NewApiKeySerializer(row, context=context)
        return Response(answer.data, status=201, headers={"Cache-Control": "no-store"})


class ApiKeyView(Endpoint):
    @extend_schema(responses={204: None})
    def delete(self, request: Request, organization_id: UUID, key_id: UUID) -> Response:
        """Revoke a key: it is refused from now on."""
        organization = get_managed_organization(self.user, organization_id)
        rows = ApiKey.objects.for_organization(organization).filter(revoked_at=None)
        key = get_row(rows.select_related("membership", "organization"), key_id, "API key")
        api_keys.revoke_api_key(key=key, actor=self.user)
        return Response(status=204)
