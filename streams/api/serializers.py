"""Bodies and answers of shows, cues and outputs."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db import models
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from avatars.models import Avatar, AvatarClip
from inference.catalog import EXPRESSIONS, GESTURES, PROFILES
from streams.fields import ChoiceField, FlagField, NumberField, TextField, WholeNumberField
from streams.messages import moment
from streams.models import Output, Picture
from streams.models.output import (
    OUTPUT_URL_MAX_CHARACTERS,
    STREAM_KEY_MAX_CHARACTERS,
    OutputKind,
)
from streams.models.rundown import CUE_TEXT_MAX_CHARACTERS, PAUSE_MAX_SECONDS, CueKind
from streams.models.schedule import CatchUp
from streams.models.show import (
    DURATION_MAX_MINUTES,
    LOOP_PAUSE_MAX_SECONDS,
    LOWER_THIRD_MAX_CHARACTERS,
    ClockFormat,
    Corner,
    Ends,
    LabelPreset,
    RundownMode,
    Visibility,
)
from streams.services.cards import (
    CARD_PRICE_MAX_CHARACTERS,
    CARD_TEXT_MAX_CHARACTERS,
    CARD_TITLE_MAX_CHARACTERS,
    CARD_URL_MAX_BYTES,
)
from streams.services.clashes import PlanWarning
from streams.services.rundown import CUES_MAX
from voices.models import Language, Voice

Json = dict[str, Any]


@extend_schema_field(OpenApiTypes.UUID)
class OwnedField(serializers.Field[Any, Any, Any, Any]):
    """The id of a row of the organization the request is about (`context["organization"]`)."""

    def __init__(self, model: type[models.Model], lookup: str, **kwargs: Any) -> None:
        self.model = model
        self.lookup = lookup
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> models.Model:
        noun = str(self.model._meta.verbose_name)
        key = serializers.UUIDField().to_internal_value(data)
        rows = self.model._default_manager.filter(**{self.lookup: self.context["organization"]})
        try:
            return rows.get(pk=key)
        except ObjectDoesNotExist as error:
            message = f"There is no such {noun}."
            raise serializers.ValidationError(message, code="not_found") from error

    def to_representation(self, value: Any) -> str:
        return str(getattr(value, "pk", value))


class CardSerializer(serializers.Serializer[Any]):
    """What is shown beside a cue, such as a product."""

    title = TextField(max_length=CARD_TITLE_MAX_CHARACTERS)
    text = TextField(max_length=CARD_TEXT_MAX_CHARACTERS, required=False, allow_blank=True)
    price = TextField(max_length=CARD_PRICE_MAX_CHARACTERS, required=False, allow_blank=True)
    url = TextField(
        max_length=CARD_URL_MAX_BYTES,
        required=False,
        allow_blank=True,
        help_text="An http(s) address; the card shows it as a QR code.",
    )
    picture = OwnedField(Picture, "organization", allow_null=True, required=False)
    image_url = serializers.CharField(read_only=True)


class CueSerializer(serializers.Serializer[Any]):
    """One item of a rundown."""

    id = serializers.UUIDField(read_only=True)
    position = serializers.IntegerField(read_only=True)
    kind = ChoiceField(choices=CueKind.choices, default=CueKind.SPEECH)
    text = TextField(
        max_length=CUE_TEXT_MAX_CHARACTERS, required=False, allow_blank=True, default=""
    )
    expression = ChoiceField(choices=EXPRESSIONS, default="neutral")
    gesture = ChoiceField(choices=GESTURES, default="none")
    emotion = WholeNumberField(min_value=1, max_value=5, default=3)
    clip = OwnedField(AvatarClip, "avatar__organization", allow_null=True, default=None)
    pause_seconds = NumberField(min_value=0, max_value=PAUSE_MAX_SECONDS, default=0.0)
    card = CardSerializer(allow_null=True, default=None)

    def validate(self, attrs: Json) -> Json:
        """The card's picture is a row of its own, the rest of the card is not."""
        if "card" not in attrs:
            return attrs
        card = dict(attrs["card"] or {})
        picture = card.pop("picture", None)
        return {**attrs, "card": card or None, "card_picture": picture}


class LabelSerializer(serializers.Serializer[Any]):
    """The visible AI label."""

    preset = ChoiceField(choices=LabelPreset.choices, required=False)
    position = ChoiceField(choices=Corner.choices, required=False)


class LogoSerializer(serializers.Serializer[Any]):
    """An uploaded picture of kind `logo` in a corner."""

    picture = OwnedField(Picture, "organization")
    position = ChoiceField(choices=Corner.choices, required=False)
    image_url = serializers.CharField(read_only=True)


class LowerThirdSerializer(serializers.Serializer[Any]):
    """Who speaks, in two lines at the lower left; shown while `name` is not blank."""

    name = TextField(max_length=LOWER_THIRD_MAX_CHARACTERS, required=False, allow_blank=True)
    role = TextField(max_length=LOWER_THIRD_MAX_CHARACTERS, required=False, allow_blank=True)


class ClockSerializer(serializers.Serializer[Any]):
    """The time of day. timezone: blank = that of the schedule."""

    format = ChoiceField(choices=ClockFormat.choices, required=False)
    position = ChoiceField(choices=Corner.choices, required=False)
    timezone = TextField(max_length=64, required=False, allow_blank=True)


class OverlaysSerializer(serializers.Serializer[Any]):
    """What is drawn over the picture. Only what is given is changed."""

    captions = FlagField(required=False)
    title = TextField(max_length=80, required=False, allow_blank=True)
    logo = LogoSerializer(required=False, allow_null=True)
    lower_third = LowerThirdSerializer(required=False)
    clock = ClockSerializer(required=False)
    label = LabelSerializer(required=False)


class ScheduleSerializer(serializers.Serializer[Any]):
    """When the show airs, in the clock time of its zone."""

    starts_at_local = TextField(max_length=26)
    timezone = TextField(max_length=64, default="Asia/Shanghai")
    rrule = TextField(max_length=300, required=False, allow_blank=True, allow_null=True)
    exdates = serializers.ListField(child=TextField(max_length=26), required=False)
    catch_up = ChoiceField(choices=CatchUp.choices, default=CatchUp.SKIP)

    def to_internal_value(self, data: Any) -> Any:
        if self.parent is None:
            return super().to_internal_value(data)
        # A plan is replaced whole, in a PATCH too: there the framework would ask for no field.
        whole = ScheduleSerializer(data=data, context=self.context)
        whole.is_valid(raise_exception=True)
        return whole.validated_data


class WarningSerializer(serializers.Serializer[Any]):
    """A clash or dead end in a plan that was saved all the same. show: the other one."""

    code = serializers.CharField()
    message = serializers.CharField()
    show = serializers.UUIDField(allow_null=True)
    at = serializers.DateTimeField(allow_null=True)

    def to_representation(self, instance: PlanWarning) -> Json:
        return {
            "code": instance.code,
            "message": instance.message,
            "show": str(instance.show) if instance.show else None,
            "at": moment(instance.at),
        }


class ShowSerializer(serializers.Serializer[Any]):
    """A show. Creating takes nested cues; changing with `cues` replaces the rundown."""

    id = serializers.UUIDField(read_only=True)
    title = TextField(max_length=120)
    avatar = OwnedField(Avatar, "organization")
    voice = OwnedField(Voice, "organization")
    language = ChoiceField(choices=Language.choices, default=Language.CHINESE)
    profile = ChoiceField(choices=[p.name for p in PROFILES], default="virtual_host")
    visibility = ChoiceField(choices=Visibility.choices, default=Visibility.PRIVATE)
    background = TextField(max_length=100, default="studio")
    cues = CueSerializer(many=True, required=False, max_length=CUES_MAX)
    rundown_mode = ChoiceField(choices=RundownMode.choices, default=RundownMode.ONCE)
    loop_pause_seconds = NumberField(min_value=0, max_value=LOOP_PAUSE_MAX_SECONDS, default=0.0)
    ends = ChoiceField(choices=Ends.choices, default=Ends.AFTER_RUNDOWN)
    duration_minutes = WholeNumberField(
        min_value=1, max_value=DURATION_MAX_MINUTES, allow_null=True, default=None
    )
    schedule = ScheduleSerializer(allow_null=True, required=False)
    outputs = serializers.ListField(
        child=OwnedField(Output, "organization"), required=False, max_length=20
    )
    overlays = OverlaysSerializer(required=False)
    record = FlagField(default=False)
    is_commercial = FlagField(
        default=False,
        help_text="It sells or advertises: the consents of its presenter and voices must allow it.",
    )
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)


class SavedShowSerializer(ShowSerializer):
    """A show as it was saved, with what to look at in its plan."""

    warnings = WarningSerializer(many=True, read_only=True)


class OutputSerializer(serializers.Serializer[Any]):
    """A destination. The stream key goes in and never comes out."""

    id = serializers.UUIDField(read_only=True)
    name = TextField(max_length=80)
    kind = ChoiceField(choices=OutputKind.choices, default=OutputKind.RTMP)
    url = TextField(
        max_length=OUTPUT_URL_MAX_CHARACTERS,
        required=False,
        allow_blank=True,
        help_text="The server's address; of a file, its name, such as evening.mp4, or nothing.",
    )
    stream_key = TextField(
        max_length=STREAM_KEY_MAX_CHARACTERS,
        write_only=True,
        required=False,
        allow_blank=True,
        trim_whitespace=False,
    )
    key_hint = serializers.CharField(read_only=True)
    has_key = serializers.BooleanField(read_only=True)
    key_per_broadcast = FlagField(default=False)
    created_at = serializers.DateTimeField(read_only=True)


class CueOrderSerializer(serializers.ListSerializer[Any]):
    """The ids of every cue of a show, in their new order."""

    child = serializers.UUIDField()


def overlay_fields(values: Json) -> Json:
    """The fields of `Show` that these overlays set; what is not given stays."""
    found: Json = {}
    for path, name in _OVERLAY_FIELDS.items():
        group, _, key = path.rpartition(".")
        source = values.get(group) or {} if group else values
        if key in source:
            found[name] = source[key]
    if "logo" in values and values["logo"] is None:
        found["logo"] = None
    return found


_OVERLAY_FIELDS = {
    "captions": "captions",
    "title": "overlay_title",
    "logo.picture": "logo",
    "logo.position": "logo_position",
    "lower_third.name": "lower_third_name",
    "lower_third.role": "lower_third_role",
    "clock.format": "clock_format",
    "clock.position": "clock_position",
    "clock.timezone": "clock_timezone",
    "label.preset": "label_preset",
    "label.position": "label_position",
}
