"""The shapes of answers about broadcasts, for the schema; `streams.messages` builds them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from inference.catalog import EXPRESSIONS, GESTURES
from streams.messages import (
    broadcast_output_json,
    cue_json,
    event_json,
    moment,
    output_json,
    picture_json,
    recording_json,
    show_json,
    utterance_json,
)
from streams.models.broadcast import (
    BroadcastOutputState,
    BroadcastState,
    ScriptState,
    UtteranceSource,
    UtteranceState,
)
from streams.models.picture import PictureKind
from streams.models.rundown import CueKind
from streams.models.schedule import OccurrenceState
from streams.services.occurrences import PlannedAiring

Json = dict[str, Any]

OCCURRENCE_STATES = [
    choice for choice in OccurrenceState.choices if choice[0] != OccurrenceState.DROPPED
]


class CursorAnswer(serializers.Serializer[Any]):
    cue = serializers.UUIDField(allow_null=True)
    sentence = serializers.IntegerField()
    loop = serializers.IntegerField()


class BroadcastOutputAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    output = serializers.UUIDField(allow_null=True)
    name = serializers.CharField()
    kind = serializers.CharField()
    state = serializers.ChoiceField(choices=BroadcastOutputState.choices)
    reason = serializers.CharField(allow_blank=True)
    bitrate_kbps = serializers.FloatField(allow_null=True)
    dropped = serializers.IntegerField()
    reconnects = serializers.IntegerField()

    def to_representation(self, instance: Any) -> Json:
        return broadcast_output_json(instance)


class WorkerAnswer(serializers.Serializer[Any]):
    kind = serializers.CharField()
    pid = serializers.IntegerField()


class RunnerAnswer(serializers.Serializer[Any]):
    pid = serializers.IntegerField()
    lease_epoch = serializers.IntegerField()
    workers = WorkerAnswer(many=True)


class AiredCard(serializers.Serializer[Any]):
    """The card of a cue as it was when the broadcast started."""

    title = serializers.CharField()
    text = serializers.CharField(allow_blank=True)
    price = serializers.CharField(allow_blank=True)
    url = serializers.CharField(allow_blank=True)
    picture = serializers.UUIDField(allow_null=True)
    image_url = serializers.CharField(allow_blank=True)


class AiredCue(serializers.Serializer[Any]):
    """A cue as it was when the broadcast started; they lie in the order of the rundown."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=CueKind.choices)
    text = serializers.CharField(allow_blank=True)
    expression = serializers.ChoiceField(choices=EXPRESSIONS)
    gesture = serializers.ChoiceField(choices=GESTURES)
    emotion = serializers.IntegerField()
    clip = serializers.CharField(allow_null=True)
    pause_seconds = serializers.FloatField()
    card = AiredCard(allow_null=True)


class BroadcastAnswer(serializers.Serializer[Any]):
    """One airing of a show. `runner` is there for those who operate it."""

    id = serializers.UUIDField()
    show = serializers.UUIDField()
    title = serializers.CharField()
    state = serializers.ChoiceField(choices=BroadcastState.choices)
    reason = serializers.CharField(allow_blank=True)
    started_at = serializers.DateTimeField(allow_null=True)
    first_frame_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    cursor = CursorAnswer()
    script = serializers.ChoiceField(choices=ScriptState.choices)
    record = serializers.BooleanField()
    outputs = BroadcastOutputAnswer(many=True)
    metrics = serializers.DictField(allow_null=True)
    thumbnail_url = serializers.URLField()
    watch_url = serializers.URLField()
    rundown = AiredCue(many=True)
    runner = RunnerAnswer(required=False, allow_null=True)


class UtteranceAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    source = serializers.ChoiceField(choices=UtteranceSource.choices)
    cue = serializers.UUIDField(allow_null=True)
    sentence = serializers.IntegerField(allow_null=True)
    loop = serializers.IntegerField(allow_null=True)
    text = serializers.CharField()
    generation = serializers.IntegerField()
    state = serializers.ChoiceField(choices=UtteranceState.choices)
    reason = serializers.CharField(allow_blank=True)
    started_at = serializers.DateTimeField(allow_null=True)
    media_time_ms = serializers.IntegerField(allow_null=True)
    played_ms = serializers.IntegerField(allow_null=True)
    duration_ms = serializers.IntegerField(allow_null=True)

    def to_representation(self, instance: Any) -> Json:
        return utterance_json(instance)


class EventAnswer(serializers.Serializer[Any]):
    sequence = serializers.IntegerField()
    kind = serializers.CharField()
    at = serializers.DateTimeField()
    data = serializers.DictField()

    def to_representation(self, instance: Any) -> Json:
        return event_json(instance)


class RecordingAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    broadcast = serializers.UUIDField()
    state = serializers.CharField()
    reason = serializers.CharField(allow_blank=True)
    media_time_ms = serializers.IntegerField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    file_url = serializers.URLField()

    def to_representation(self, instance: Any) -> Json:
        return recording_json(instance, base_url=base_url(self.context["request"]))


class MetricAnswer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    values = serializers.DictField()


class SaidAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=UtteranceState.choices)


class SayAnswer(serializers.Serializer[Any]):
    utterance = SaidAnswer()


class InterruptAnswer(serializers.Serializer[Any]):
    utterance = serializers.UUIDField(allow_null=True)
    generation = serializers.IntegerField()


class OccurrenceAnswer(serializers.Serializer[Any]):
    starts_at = serializers.DateTimeField()
    starts_at_local = serializers.CharField()
    state = serializers.ChoiceField(choices=OCCURRENCE_STATES)
    reason = serializers.CharField(allow_blank=True)
    broadcast = serializers.UUIDField(allow_null=True)

    def to_representation(self, instance: PlannedAiring) -> Json:
        return {
            "starts_at": moment(instance.at),
            "starts_at_local": instance.local.isoformat(),
            "state": instance.state,
            "reason": instance.reason,
            "broadcast": str(instance.broadcast) if instance.broadcast else None,
        }


class NextAiringAnswer(serializers.Serializer[Any]):
    show = serializers.UUIDField()
    next = OccurrenceAnswer(allow_null=True)
    missed = OccurrenceAnswer(allow_null=True)


class IceServerAnswer(serializers.Serializer[Any]):
    """As `RTCPeerConnection` takes it."""

    urls = serializers.ListField(child=serializers.CharField())
    username = serializers.CharField(required=False)
    credential = serializers.CharField(required=False)


class TicketAnswer(serializers.Serializer[Any]):
    ticket = serializers.CharField()
    expires_in = serializers.IntegerField()
    broadcast = serializers.UUIDField()
    ice_servers = IceServerAnswer(many=True)


class ShowAnswer(serializers.Serializer[Any]):
    """Rows of `Show` in pages; single ones have the same shape."""

    def to_representation(self, instance: Any) -> Json:
        return show_json(instance)


class CueAnswer(serializers.Serializer[Any]):
    """Rows of `Cue` in lists; single ones have the same shape."""

    def to_representation(self, instance: Any) -> Json:
        return cue_json(instance)


class OutputAnswer(serializers.Serializer[Any]):
    """Rows of `Output` in pages; single ones have the same shape."""

    def to_representation(self, instance: Any) -> Json:
        return output_json(instance)


class PictureAnswer(serializers.Serializer[Any]):
    """An uploaded picture. image_url: signed, good for 12 to 24 hours."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=PictureKind.choices)
    width_px = serializers.IntegerField()
    height_px = serializers.IntegerField()
    image_url = serializers.CharField()
    created_at = serializers.DateTimeField()

    def to_representation(self, instance: Any) -> Json:
        return picture_json(instance)


def base_url(request: Any) -> str:
    """`https://host` of a request, without a slash at its end."""
    return str(request.build_absolute_uri("/")).rstrip("/")
