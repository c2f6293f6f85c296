"""Bodies of avatars."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from avatars.models import Avatar, AvatarClip
from avatars.previews import preview_url
from avatars.selectors import voice_gender


class AvatarSerializer(serializers.ModelSerializer[Avatar]):
    """An avatar as it is shown. preview_url: a PNG, good for some hours.

    voice_gender: which voices suit it; empty = any.
    """

    preview_url = serializers.SerializerMethodField()
    voice_gender = serializers.SerializerMethodField()

    class Meta:
        model = Avatar
        fields = (
            "id",
            "name",
            "engine",
            "settings",
            "state",
            "progress",
            "failure_reason",
            "preview_url",
            "voice_gender",
            "licences",
        )
        read_only_fields = fields

    def get_preview_url(self, avatar: Avatar) -> str:
        return preview_url(avatar)

    def get_voice_gender(self, avatar: Avatar) -> str:
        return voice_gender(avatar)


class AvatarWriteSerializer(serializers.Serializer[Any]):
    """An avatar as it is written; the service judges the values."""

    name = serializers.CharField(max_length=100)
    engine = serializers.CharField(max_length=50)
    settings = serializers.DictField(required=False)
    licences = serializers.ListField(
        child=serializers.CharField(max_length=200), max_length=20, required=False
    )


class ClipSerializer(serializers.ModelSerializer[AvatarClip]):
    class Meta:
        model = AvatarClip
        fields = ("id", "name", "engine_name", "duration_ms")
        read_only_fields = fields


class ClipWriteSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=100)
    engine_name = serializers.CharField(max_length=100)
    duration_ms = serializers.IntegerField(min_value=0, max_value=600_000, required=False)
