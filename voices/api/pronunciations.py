"""Readings of words over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.endpoints import Endpoint
from accounts.models import Organization
from accounts.roles import require_permission
from livestudio.common.errors import InvalidInputError
from voices import pronunciations
from voices.access import get_pronunciation_for
from voices.api.filters import PronunciationFilter
from voices.api.serializers import PronunciationSerializer, PronunciationWriteSerializer
from voices.models import Voice


class PronunciationsView(Endpoint):
    serializer_class = PronunciationSerializer
    filterset_class = PronunciationFilter
    ordering_fields = ("created_at", "text")

    @extend_schema(responses={200: PronunciationSerializer(many=True)})
    def get(self, request: Request) -> Response:
        """The organization's list of readings."""
        require_permission(self.user, "voice.view", self.organization)
        return self.page(
            PronunciationSerializer, pronunciations.organization_words(self.organization)
        )

    @extend_schema(request=PronunciationWriteSerializer, responses={201: PronunciationSerializer})
    def post(self, request: Request) -> Response:
        """Say how a word is read. Broadcasts that start from now on say it so."""
        values = _with_voice(self.valid(PronunciationWriteSerializer), self.organization)
        row = pronunciations.create_pronunciation(
            organization=self.organization, values=values, actor=self.user
        )
        return self.rendered(PronunciationSerializer, row, status=201)


class PronunciationView(Endpoint):
    serializer_class = PronunciationSerializer

    @extend_schema(responses={200: PronunciationSerializer})
    def get(self, request: Request, pronunciation_id: UUID) -> Response:
        """One reading."""
        row = get_pronunciation_for(self.user, pronunciation_id, "voice.view")
        return self.rendered(PronunciationSerializer, row)

    @extend_schema(request=PronunciationWriteSerializer, responses={200: PronunciationSerializer})
    def patch(self, request: Request, pronunciation_id: UUID) -> Response:
        """Change a reading."""
        row = get_pronunciation_for(self.user, pronunciation_id, "voice.edit")
        values = self.valid(PronunciationWriteSerializer, partial=True)
        values = _with_voice(values, row.organization)
        row = pronunciations.update_pronunciation(row=row, values=values, actor=self.user)
        return self.rendered(PronunciationSerializer, row)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, pronunciation_id: UUID) -> Response:
        """Take a word off the list."""
        row = get_pronunciation_for(self.user, pronunciation_id, "voice.edit")
        pronunciations.delete_pronunciation(row=row, actor=self.user)
        return Response(status=204)


def _with_voice(values: dict[str, Any], organization: Organization) -> dict[str, Any]:
    """The voice's row in place of its id; of other organizations none exists."""
    if values.get("voice") is None:
        return values
    voice = Voice.objects.for_organization(organization).filter(pk=values["voice"]).first()
    if voice is None:
        raise InvalidInputError.of("voice", "There is no such voice.", "not_found")
    return {**values, "voice": voice}
