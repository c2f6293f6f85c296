"""Bodies of voices."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from voices.models import Language, Voice
from voices.services import PREVIEW_MAX_CHARACTERS
from voices.validators import API_KEY_MAX_CHARACTERS


class VoiceSerializer(serializers.ModelSerializer[Voice]):
    """A voice as it is shown."""

    fallbacks = serializers.SerializerMethodField()
    has_api_key = serializers.BooleanField(read_only=True)

    class Meta:
        model = Voice
        fields = (
            "id",
            "name",
            "engine",
            "language",
            "settings",
            "has_api_key",
            "fallbacks",
            "state",
            "failure_reason",
        )
        read_only_fields = fields

    def get_fallbacks(self, voice: Voice) -> list[str]:
        return [str(link.fallback_id) for link in voice.fallback_links.all()]


class VoiceWriteSerializer(serializers.Serializer[Any]):
    """A voice as it is written; the service judges the values."""

    name = serializers.CharField(max_length=100)
    engine = serializers.CharField(max_length=50)
    language = serializers.ChoiceField(choices=Language.choices)
    settings = serializers.DictField(required=False)
    api_key = serializers.CharField(
        required=False,
        write_only=True,
        allow_blank=True,
        max_length=API_KEY_MAX_CHARACTERS,
        trim_whitespace=False,
    )
    fallbacks = serializers.ListField(child=serializers.UUIDField(), required=False)


class PreviewSerializer(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=PREVIEW_MAX_CHARACTERS)
