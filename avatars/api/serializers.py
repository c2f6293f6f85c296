"""Bodies of avatars."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from avatars.models import Avatar, AvatarBuild, AvatarClip
from avatars.previews import build_preview_url, preview_url
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
            "consent",
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


class UploadField(serializers.JSONField):
    """JSON inside a form. It is an object."""

    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        if not isinstance(value, dict):
            raise serializers.ValidationError("Give a JSON object.", code="not_an_object")
        return value


class AvatarWriteSerializer(serializers.Serializer[Any]):
    """An avatar as it is written; the service judges the values."""

    name = serializers.CharField(max_length=100)
    engine = serializers.CharField(max_length=50)
    settings = serializers.DictField(required=False)
    consent = serializers.UUIDField(required=False, allow_null=True)
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


class BuildUploadSerializer(serializers.Serializer[Any]):
    """A form (multipart/form-data) with a film or photo of the presenter, or a zip: of a version
    from `bundle/`, or of a folder that MuseTalk or LiveTalking prepared.

    landmarks: a JSON file with the points of the face over time. options: a JSON object with
    `bbox_shift` (v1) and `clips` `[{"name", "from_seconds", "to_seconds"}]`.
    """

    file = serializers.FileField(max_length=255)
    landmarks = serializers.FileField(max_length=255, required=False)
    options = UploadField(binary=True, required=False)


class AvatarUploadSerializer(BuildUploadSerializer):
    """The form that makes a presenter of an upload."""

    name = serializers.CharField(max_length=100)
    engine = serializers.CharField(max_length=50)
    settings = UploadField(binary=True, required=False)


class BuildLogSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    stage = serializers.CharField()
    message = serializers.CharField()


class BuildSerializer(serializers.ModelSerializer[AvatarBuild]):
    """One version of a filmed presenter. preview_url: an MP4, good for some hours; null before."""

    state = serializers.CharField(help_text="queued, building, ready, failed or cancelled")
    log = BuildLogSerializer(many=True)
    preview_url = serializers.SerializerMethodField()

    class Meta:
        model = AvatarBuild
        fields = (
            "id",
            "number",
            "state",
            "is_current",
            "progress",
            "stage",
            "reason",
            "log",
            "facts",
            "options",
            "preview_url",
            "created_at",
            "ended_at",
        )
        read_only_fields = fields

    def get_preview_url(self, build: AvatarBuild) -> str | None:
        # What was taken over without weights has none.
        has_film = build.facts.get("has_preview", True)
        is_ready = build.state == AvatarBuild.State.READY
        return build_preview_url(build) if is_ready and has_film else None
