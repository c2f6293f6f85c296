"""Voices over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.endpoints import Endpoint
from accounts.roles import require_permission
from accounts.services.consents import with_consent
from voices import services
from voices.access import get_voice_for
from voices.api.filters import VoiceFilter
from voices.api.serializers import PreviewSerializer, VoiceSerializer, VoiceWriteSerializer
from voices.models import Voice
from voices.selectors import with_fallbacks


class VoicesView(Endpoint):
    serializer_class = VoiceSerializer
    filterset_class = VoiceFilter
    ordering_fields = ("created_at", "name")

    @extend_schema(responses={200: VoiceSerializer(many=True)})
    def get(self, request: Request) -> Response:
        """The organization's voices."""
        require_permission(self.user, "voice.view", self.organization)
        rows = with_fallbacks(Voice.objects.for_organization(self.organization))
        return self.page(VoiceSerializer, rows)

    @extend_schema(request=VoiceWriteSerializer, responses={201: VoiceSerializer})
    def post(self, request: Request) -> Response:
        """Make a voice."""
        values = with_consent(self.valid(VoiceWriteSerializer), self.organization)
        voice = services.create_voice(
            organization=self.organization,
            fallbacks=values.pop("fallbacks", ()),
            values=values,
            actor=self.user,
        )
        return self.rendered(VoiceSerializer, voice, status=201)


class VoiceView(Endpoint):
    serializer_class = VoiceSerializer

    @extend_schema(responses={200: VoiceSerializer})
    def get(self, request: Request, voice_id: UUID) -> Response:
        """One voice."""
        return self.rendered(VoiceSerializer, get_voice_for(self.user, voice_id, "voice.view"))

    @extend_schema(request=VoiceWriteSerializer, responses={200: VoiceSerializer})
    def put(self, request: Request, voice_id: UUID) -> Response:
        """Replace a voice's values."""
        return self._update(voice_id, partial=False)

    @extend_schema(request=VoiceWriteSerializer, responses={200: VoiceSerializer})
    def patch(self, request: Request, voice_id: UUID) -> Response:
        """Change some of a voice's values."""
        return self._update(voice_id, partial=True)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, voice_id: UUID) -> Response:
        """Remove a voice that no show uses."""
        voice = get_voice_for(self.user, voice_id, "voice.edit")
        services.delete_voice(voice=voice, actor=self.user)
        return Response(status=204)

    def _update(self, voice_id: UUID, *, partial: bool) -> Response:
        voice = get_voice_for(self.user, voice_id, "voice.edit")
        values: dict[str, Any] = self.valid(VoiceWriteSerializer, partial=partial)
        values = with_consent(values, voice.organization)
        voice = services.update_voice(
            voice=voice, fallbacks=values.pop("fallbacks", None), values=values, actor=self.user
        )
        return self.rendered(VoiceSerializer, voice)


class VoicePreviewView(Endpoint):
    serializer_class = PreviewSerializer

    @extend_schema(
        request=PreviewSerializer,
        responses={(200, "audio/wav"): OpenApiResponse(OpenApiTypes.BINARY)},
    )
    def post(self, request: Request, voice_id: UUID) -> HttpResponse:
        """Hear a text in this voice."""
        voice = get_voice_for(self.user, voice_id, "voice.view")
        text = self.valid(PreviewSerializer)["text"]
        sound = services.preview_voice(voice=voice, text=text, actor=self.user)
        return HttpResponse(sound, content_type="audio/wav")
