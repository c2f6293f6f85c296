"""Filters of the lists of this app."""

from __future__ import annotations

from django_filters import rest_framework as filters

from avatars.models import Avatar
from livestudio.common.filters import PartFilter, TextsFilter, WordsFilter


class AvatarFilter(filters.FilterSet):
    name = PartFilter("name")
    state = WordsFilter(Avatar.State.choices)
    engine = TextsFilter("engine")
