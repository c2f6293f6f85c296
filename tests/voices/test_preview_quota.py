"""What a preview takes of the organization's day: characters, and tokens where its server tells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone

from metering.models import Counter
from metering.services.counting import Holder, count
from tests.factories import Cast, api_client, make_cast
from tests.inference.speech.openai_speech.server import TOKENS, Server, serve
from tests.streams.quotas import limit, server_voice, sums
from voices.models import Voice

pytestmark = [pytest.mark.django_db, pytest.mark.database]

TEXT = "Hello there."


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(Server()) as running:
        yield running


@pytest.fixture
def cast(settings: Any) -> Cast:
    settings.EGRESS_ALLOW = ("loopback",)
    return make_cast()


def voice_of(cast: Cast, server: Server, **settings: str) -> Voice:
    return server_voice(cast, base_url=server.base_url, **settings)


def preview(cast: Cast, voice: Voice) -> Any:
    return api_client(cast.bob).post(f"/api/v1/voices/{voice.pk}/preview/", {"text": TEXT})


def test_preview_counts_the_tokens_that_its_server_tells(cast: Cast, server: Server) -> None:
    limit(cast, llm_tokens=1000)

    answer = preview(cast, voice_of(cast, server, stream_format="sse"))

    assert answer.status_code == 200, answer.content[:300]
    assert answer.content.startswith(b"RIFF")
    assert sums("llm_tokens") == (TOKENS, 0)
    assert sums("tts_characters") == (len(TEXT), 0)


def test_preview_of_raw_sound_counts_no_tokens_and_needs_none(cast: Cast, server: Server) -> None:
    limit(cast, llm_tokens=0)

    assert preview(cast, voice_of(cast, server)).status_code == 200

    assert not Counter.objects.filter(meter="llm_tokens").exists()
    assert sums("tts_characters") == (len(TEXT), 0)


def test_preview_without_a_token_left_does_not_ask_its_server(cast: Cast, server: Server) -> None:
    limit(cast, llm_tokens=100)
    holder = Holder(cast.organization.pk, "earlier")
    count(holder, "llm_tokens", 100, now=timezone.now())

    refused = preview(cast, voice_of(cast, server, stream_format="sse"))

    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (409, "quota_exceeded")
    assert (error["data"]["meter"], error["data"]["limit"]) == ("llm_tokens", 100)
    assert server.bodies == []
    assert (sums("llm_tokens"), sums("tts_characters")) == ((100, 0), (0, 0))


def test_preview_that_fails_gives_back_what_was_set_aside(cast: Cast, server: Server) -> None:
    limit(cast, llm_tokens=100, tts_characters=100)
    server.behaviour = "no_done"

    failed = preview(cast, voice_of(cast, server, stream_format="sse"))

    assert failed.status_code == 503
    assert (sums("llm_tokens"), sums("tts_characters")) == ((0, 0), (0, 0))


def test_tokens_are_counted_of_a_server_that_sends_events_unasked(
    cast: Cast, server: Server
) -> None:
    server.sends_events = True

    assert preview(cast, voice_of(cast, server)).status_code == 200

    assert sums("llm_tokens") == (TOKENS, 0)
