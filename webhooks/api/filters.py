"""Filters of the lists of this app."""

from __future__ import annotations

from django_filters import rest_framework as filters

from accounts.event_types import NAMES
from livestudio.common.filters import WordsFilter
from webhooks.models import DeliveryState


class DeliveryFilter(filters.FilterSet):
    """Of the log of a webhook."""

    state = WordsFilter(DeliveryState.choices)
    type = WordsFilter([(name, name) for name in NAMES], field_name="kind")
