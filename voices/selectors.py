"""Reads of voices."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch

from voices.models import Voice, VoiceFallback


def with_fallbacks(rows: Any) -> Any:
    """The rows with their ordered fallbacks loaded, without a query for each."""
    links = VoiceFallback.objects.select_related("fallback").order_by("position")
    return rows.prefetch_related(Prefetch("fallback_links", links))


def failover_chain(voice: Voice) -> list[Voice]:
    """The voice, then its fallbacks in order: what says a sentence until one succeeds."""
    links = voice.fallback_links.select_related("fallback").order_by("position")
    ready = [link.fallback for link in links if link.fallback.state == Voice.State.READY]
    return [voice, *ready]
