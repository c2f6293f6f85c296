"""Filters of the lists of this app."""

from __future__ import annotations

from django_filters import rest_framework as filters

from livestudio.common.filters import PartFilter, TextsFilter, WordFilter, WordsFilter
from streams.models.broadcast import BroadcastState, UtteranceSource, UtteranceState
from streams.models.output import OutputKind
from streams.models.picture import PictureKind
from streams.models.recording import RecordingState
from streams.models.rundown import CueKind
from streams.models.show import Visibility
from voices.models import Language


class ShowFilter(filters.FilterSet):
    title = PartFilter("title")
    visibility = WordsFilter(Visibility.choices)
    language = WordFilter(Language.choices)
    avatar = filters.UUIDFilter("avatar")
    voice = filters.UUIDFilter("voice")
    scheduled = filters.BooleanFilter("schedule", lookup_expr="isnull", exclude=True)


class CueFilter(filters.FilterSet):
    kind = WordsFilter(CueKind.choices)


class OutputFilter(filters.FilterSet):
    name = PartFilter("name")
    kind = WordsFilter(OutputKind.choices)
    key_per_broadcast = filters.BooleanFilter("key_per_broadcast")


class PictureFilter(filters.FilterSet):
    name = PartFilter("name")
    kind = WordFilter(PictureKind.choices)


class BroadcastFilter(filters.FilterSet):
    state = WordsFilter(BroadcastState.choices)
    show = filters.UUIDFilter("show")
    started_after = filters.IsoDateTimeFilter("started_at", lookup_expr="gte")
    started_before = filters.IsoDateTimeFilter("started_at", lookup_expr="lt")


class UtteranceFilter(filters.FilterSet):
    state = WordsFilter(UtteranceState.choices)
    source = WordsFilter(UtteranceSource.choices)
    cue = filters.UUIDFilter("cue")


class EventFilter(filters.FilterSet):
    kind = TextsFilter("kind")
    after_sequence = filters.NumberFilter(
        "sequence", lookup_expr="gt", min_value=0, max_value=10**18, decimal_places=0
    )


class MetricFilter(filters.FilterSet):
    after = filters.IsoDateTimeFilter("at", lookup_expr="gte")
    before = filters.IsoDateTimeFilter("at", lookup_expr="lt")


class RecordingFilter(filters.FilterSet):
    state = WordsFilter(RecordingState.choices)
