"""Reads of voices."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings as site
from django.db.models import Prefetch
from django.utils.translation import gettext as _

from inference.text.lexicon import SETTING as LEXICON_SETTING
from livestudio.common import vault
from voices.models import Voice, VoiceFallback
from voices.pronunciations import lexicon_for
from voices.validators import SERVER_ENGINES


def count_voices(organization_id: UUID) -> int:
    """Voices of an organization, as `GET voices/` lists them."""
    return int(Voice.objects.filter(organization=organization_id).count())


def with_fallbacks(rows: Any) -> Any:
    """The rows with their ordered fallbacks loaded, without a query for each."""
    links = VoiceFallback.objects.select_related("fallback").order_by("position")
    return rows.prefetch_related(Prefetch("fallback_links", links))


def failover_chain(voice: Voice) -> list[Voice]:
    """The voice, then its fallbacks in order: what says a sentence until one succeeds."""
    links = voice.fallback_links.select_related("fallback").order_by("position")
    ready = [link.fallback for link in links if link.fallback.state == Voice.State.READY]
    return [voice, *ready]


def speaking_chain(voice: Voice) -> list[tuple[Voice, dict[str, Any]]]:
    """`failover_chain` with the engine settings of each, without those whose key is unreadable.

    For a runner only. Raises VaultError when that leaves none.
    """
    chain: list[tuple[Voice, dict[str, Any]]] = []
    unreadable: vault.VaultError | None = None
    for item in failover_chain(voice):
        try:
            chain.append((item, engine_settings(item)))
        except vault.VaultError as error:
            unreadable = unreadable or error
    if unreadable and not chain:
        raise unreadable
    return chain


def engine_settings(voice: Voice) -> dict[str, Any]:
    """The settings as the engine takes them, with the API key opened: for a runner or tool only.

    With the list of readings as it is now. Raises VaultError when the key cannot be opened.
    """
    settings = dict(voice.settings)
    if lexicon := lexicon_for(voice):
        settings[LEXICON_SETTING] = lexicon
    if voice.engine in SERVER_ENGINES:
        name = _("API key of the voice “%(voice)s”") % {"voice": voice.name}
        settings["api_key"] = vault.open_from(voice, "sealed_api_key", name=name)
        settings["egress_allow"] = list(site.EGRESS_ALLOW)
    return settings
