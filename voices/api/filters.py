"""Filters of the lists of this app."""

from __future__ import annotations

from django_filters import rest_framework as filters

from livestudio.common.filters import PartFilter, TextsFilter, WordFilter, WordsFilter
from voices.models import Language, Voice


class VoiceFilter(filters.FilterSet):
    name = PartFilter("name")
    state = WordsFilter(Voice.State.choices)
    engine = TextsFilter("engine")
    language = WordFilter(Language.choices)


class PronunciationFilter(filters.FilterSet):
    text = PartFilter("text")
    language = WordFilter(Language.choices)
    voice = filters.UUIDFilter("voice")
