"""Bodies of voices."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from inference.text.lexicon import READING_MAX_CHARACTERS, WORD_MAX_CHARACTERS
from voices.models import Language, Pronunciation, Voice
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
            "consent",
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
    consent = serializers.UUIDField(required=False, allow_null=True)
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


class PronunciationSerializer(serializers.ModelSerializer[Pronunciation]):
    """How a word is read. voice: null = by every voice of the language."""

    voice = serializers.UUIDField(source="voice_id", allow_null=True, read_only=True)

    class Meta:
        model = Pronunciation
        fields = ("id", "language", "voice", "text", "reading")
        read_only_fields = fields


class PronunciationWriteSerializer(serializers.Serializer[Any]):
    """A reading as it is written; the service judges the values."""

    language = serializers.ChoiceField(choices=Language.choices)
    voice = serializers.UUIDField(required=False, allow_null=True)
    text = serializers.CharField(max_length=WORD_MAX_CHARACTERS)
    reading = serializers.CharField(max_length=READING_MAX_CHARACTERS)
