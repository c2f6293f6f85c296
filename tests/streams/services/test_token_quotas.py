"""Tokens of language models: one has to be left, a sentence counts them, no more end the show."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from inference.protocol import decode_command
from inference.spent_tokens import MOST_TOKENS
from metering.errors import QuotaExceededError
from metering.models import UsageEntry
from streams.models import Broadcast, BroadcastState
from streams.services.quotas import keep_accounts
from streams.services.runner_link import store_events
from streams.services.speech import Speech, say
from tests.factories import Cast
from tests.streams.plans import put_live
from tests.streams.quotas import (
    built_in_voice,
    limit,
    made,
    server_voice,
    sums,
    token_voice,
    use,
)

CHARACTERS, TOKENS = "tts_characters", "llm_tokens"


def test_tokens_are_counted_once_with_the_event_that_tells_them(cast: Cast) -> None:
    broadcast = put_live(cast, voice=token_voice(cast))
    first = [made(1, "openai_speech", 12, tokens=115)]
    whole = [*first, made(2, "openai_speech", 5, tokens=60), made(3, "espeak", 9, tokens=0)]

    for events in (first, first, whole, whole):  # sent again after a lost link, and a crash
        store_events(broadcast.pk, broadcast.lease_epoch, events)

    assert sums(TOKENS) == (175, 0)
    entry = UsageEntry.objects.get(meter=TOKENS)
    assert (entry.holder, entry.used) == (str(broadcast.pk), 175)
    assert (sums(CHARACTERS)[0], sums("builtin_tts_characters")[0]) == (17, 9)


def test_tokens_and_characters_are_counted_together_or_not_at_all(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    broadcast = put_live(cast, voice=token_voice(cast))
    events = [made(1, "openai_speech", 12, tokens=115)]

    def gone(*_: Any) -> None:
        raise OperationalError

    with monkeypatch.context() as patch:
        patch.setattr("metering.services.counting.look_at_level", gone)
        with pytest.raises(OperationalError):
            store_events(broadcast.pk, broadcast.lease_epoch, events)
    assert (sums(TOKENS)[0], sums(CHARACTERS)[0], broadcast.events.count()) == (0, 0, 0)
    store_events(broadcast.pk, broadcast.lease_epoch, events)

    assert (sums(TOKENS)[0], sums(CHARACTERS)[0]) == (115, 12)


@pytest.mark.parametrize(
    ("tokens", "counted"),
    [(None, 0), (-3, 0), ("115", 0), (True, 0), ([115], 0), (10**30, MOST_TOKENS)],
)
def test_tokens_that_cannot_be_believed_cost_no_characters(
    cast: Cast, tokens: object, counted: int
) -> None:
    broadcast = put_live(cast, voice=token_voice(cast))

    events = [made(1, "openai_speech", 12, tokens=tokens), made(2, "openai_speech", 5)]
    store_events(broadcast.pk, broadcast.lease_epoch, events)

    assert (sums(TOKENS)[0], sums(CHARACTERS)[0]) == (counted, 17)


def test_show_whose_voice_spends_tokens_is_started_while_one_is_left(cast: Cast) -> None:
    limit(cast, llm_tokens=100)
    use(cast, TOKENS, 99)
    voice = token_voice(cast)
    broadcast = put_live(cast, voice=voice)
    say(broadcast=broadcast, speech=Speech("还剩一个。"), actor=cast.bob)
    use(cast, TOKENS, 1)

    for refused in (
        lambda: say(broadcast=broadcast, speech=Speech("用完了。"), actor=cast.bob),
        lambda: put_live(cast, voice=voice),
    ):
        with pytest.raises(QuotaExceededError) as caught:
            refused()
        assert caught.value.data is not None
        assert (caught.value.data["meter"], caught.value.data["limit"]) == (TOKENS, 100)
    put_live(cast, voice=server_voice(cast))  # raw sound tells no tokens
    put_live(cast, voice=built_in_voice(cast))


def test_used_up_tokens_end_shows_whose_voice_spends_them_only(cast: Cast) -> None:
    limit(cast, llm_tokens=200)
    billed = put_live(cast, voice=token_voice(cast))
    raw = put_live(cast, voice=server_voice(cast))
    store_events(billed.pk, billed.lease_epoch, [made(1, "openai_speech", 11, tokens=199)])
    keep_accounts(timezone.now())
    assert Broadcast.objects.get(pk=billed.pk).state == BroadcastState.LIVE

    store_events(billed.pk, billed.lease_epoch, [made(2, "openai_speech", 1, tokens=30)])
    keep_accounts(timezone.now())
    keep_accounts(timezone.now())

    billed.refresh_from_db()
    raw.refresh_from_db()
    assert (billed.state, billed.reason) == ("stopping", "quota_llm_tokens")
    order = decode_command("stop", billed.commands.get(name="stop").args)
    assert (order.when, order.reason) == ("sentence_end", "quota_llm_tokens")
    assert order.closing.text.startswith("今天的直播就到这里")
    assert raw.state == BroadcastState.LIVE


def test_80_percent_of_the_tokens_are_an_event(
    cast: Cast, django_capture_on_commit_callbacks: Any
) -> None:
    limit(cast, llm_tokens=1000)
    broadcast = put_live(cast, voice=token_voice(cast))

    with django_capture_on_commit_callbacks(execute=True):
        for sequence, tokens in enumerate((700, 110, 90), 1):
            event = made(sequence, "openai_speech", 9, tokens=tokens)
            store_events(broadcast.pk, broadcast.lease_epoch, [event])

    told = broadcast.commands.get(name="tell_quota").args
    assert (told["level"], told["meter"], told["used"]) == ("warning", TOKENS, 810.0)


@pytest.mark.parametrize(
    ("meter", "engine", "settings"),
    [(TOKENS, "openai_speech", {"stream_format": "audio"}), (CHARACTERS, "espeak", {})],
)
def test_voice_that_is_changed_on_air_does_not_escape_its_limit(
    cast: Cast, meter: str, engine: str, settings: dict[str, str]
) -> None:
    limit(cast, **{meter: 10})
    voice = token_voice(cast)
    broadcast = put_live(cast, voice=voice)
    voice.engine, voice.settings = engine, settings
    voice.save()
    keep_accounts(timezone.now())
    assert Broadcast.objects.get().state == BroadcastState.LIVE

    # What is on air keeps the voice that it began with.
    event = made(1, "openai_speech", 11, tokens=11)
    store_events(broadcast.pk, broadcast.lease_epoch, [event])
    keep_accounts(timezone.now())

    broadcast.refresh_from_db()
    assert broadcast.reason == f"quota_{meter}"


def test_show_whose_spare_voice_once_spent_tokens_goes_on(cast: Cast) -> None:
    limit(cast, llm_tokens=10)
    broadcast = put_live(cast, voice=built_in_voice(cast))
    store_events(broadcast.pk, broadcast.lease_epoch, [made(1, "openai_speech", 9, tokens=10)])

    keep_accounts(timezone.now() + timedelta(minutes=2))

    broadcast.refresh_from_db()
    assert broadcast.state == BroadcastState.LIVE
