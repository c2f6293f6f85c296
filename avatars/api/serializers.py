"""Bodies of avatars."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from avatars.bundles import is_filmed
from avatars.models import Avatar, AvatarBuild, AvatarClip
from avatars.previews import build_preview_url, preview_url
from avatars.selectors import voice_gender
from inference.catalog import needs_consent


class BuildSummarySerializer(serializers.ModelSerializer[AvatarBuild]):
    """How far a version is."""

    state = serializers.CharField(help_text="queued, building, ready, failed or cancelled")

    class Meta:
        model = AvatarBuild
        fields = ("id", "number", "state", "progress", "stage", "reason")
        read_only_fields = fields


class AvatarSerializer(serializers.ModelSerializer[Avatar]):
    """An avatar as it is shown. preview_url: a PNG, good for some hours.

    voice_gender: which voices suit it; empty = any. is_filmed: it is built of uploads, in versions.
    needs_consent: it airs only with the consent of its person on record. version: the number of the
    one in use; null = none. newest_build: null = never built.
    """

    preview_url = serializers.SerializerMethodField()
    voice_gender = serializers.SerializerMethodField()
    is_filmed = serializers.SerializerMethodField()
    needs_consent = serializers.SerializerMethodField()
    version = serializers.SerializerMethodField()
    newest_build = serializers.SerializerMethodField()

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
            "is_filmed",
            "needs_consent",
            "version",
            "newest_build",
        )
        read_only_fields = fields

    def get_preview_url(self, avatar: Avatar) -> str:
        return preview_url(avatar)

    def get_voice_gender(self, avatar: Avatar) -> str:
        return voice_gender(avatar)

    def get_is_filmed(self, avatar: Avatar) -> bool:
        return is_filmed(avatar)

    def get_needs_consent(self, avatar: Avatar) -> bool:
        return needs_consent("face", avatar.engine)

    def get_version(self, avatar: Avatar) -> int | None:
        return next((build.number for build in avatar.builds.all() if build.is_current), None)

    @extend_schema_field(BuildSummarySerializer(allow_null=True))
    def get_newest_build(self, avatar: Avatar) -> dict[str, Any] | None:
        newest = next(iter(avatar.builds.all()), None)
        return BuildSummarySerializer(newest).data if newest else None


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

    landmarks: a JSON file with the points of the face over time; without, they are found here.
    options: a JSON object with `bbox_shift` (v1) and `clips`
    `[{"name", "from_seconds", "to_seconds"}]`.
    """

    file = serializers.FileField(max_length=255)
    landmarks = serializers.FileField(max_length=255, required=False)
    options = UploadField(binary=True, required=False)


class AvatarUploadSerializer(BuildUploadSerializer):
    """The form that makes a presenter of an upload."""

    name = serializers.CharField(max_length=100)
    engine = serializers.CharField(max_length=50)
    settings = UploadField(binary=True, required=False)
    consent = serializers.UUIDField(required=False)


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


class WeightsFileSerializer(serializers.Serializer[Any]):
    """path: below `weights/` in the data folder of the host."""

    path = serializers.CharField()
    state = serializers.CharField(help_text="present, missing or wrong_hash")
    size_bytes = serializers.IntegerField()
    source = serializers.CharField()
    licence = serializers.CharField()


class WeightsNetworkSerializer(serializers.Serializer[Any]):
    """One network, and the files that complete it."""

    name = serializers.CharField()
    needed_for = serializers.CharField()
    is_ready = serializers.BooleanField()
    licence = serializers.CharField()
    files = WeightsFileSerializer(many=True)


class AvatarWeightsSerializer(serializers.Serializer[Any]):
    """What the engine of an avatar loads on this host. message: why the state is unknown."""

    state = serializers.CharField(
        help_text="none (the engine loads nothing), ready, missing or unknown"
    )
    message = serializers.CharField()
    networks = WeightsNetworkSerializer(many=True)


class ModelServerSerializer(serializers.Serializer[Any]):
    """A process that paints the faces of all broadcasts of one GPU.

    frame_ms: of one face. room: broadcasts of 25 pictures a second that fit yet, of `fits`.
    message: why it failed.
    """

    name = serializers.CharField(source="server.name")
    networks = serializers.CharField(source="server.networks")
    device = serializers.CharField(source="device_name")
    state = serializers.CharField(help_text="ready, loading, failed or away")
    message = serializers.CharField()
    load_percent = serializers.IntegerField()
    frame_ms = serializers.FloatField()
    room = serializers.IntegerField()
    fits = serializers.IntegerField()


class ModelServersSerializer(serializers.Serializer[Any]):
    """None where each broadcast has networks of its own."""

    servers = ModelServerSerializer(many=True)
