"""What an airing may use: asked at its start, counted while it runs, ended with a last word."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from accounts.models import AuditEntry
from inference.protocol import Event, decode_command
from inference.services import run_folder
from metering.errors import QuotaExceededError
from metering.models import UsageEntry
from metering.services import plans
from metering.services.storage import note_file, stored_bytes
from streams.models import Broadcast, BroadcastState, Occurrence, Show
from streams.services.airing import plan_airings, start_due_airings
from streams.services.lifecycle import finish_broadcast, start_broadcast, stop_broadcast
from streams.services.quotas import keep_account, keep_accounts
from streams.services.recordings import set_recording
from streams.services.runner_link import store_events
from streams.services.speech import Speech, say
from streams.services.storage import watch_storage
from streams.services.supervision import finish_stopped
from tests.factories import Cast
from tests.streams.plans import make_output, make_schedule, make_show, put_live
from tests.streams.quotas import (
    built_in_voice,
    limit,
    made,
    on_air_since,
    server_voice,
    sums,
    use,
)

MINUTES, CHARACTERS, STORAGE = "broadcast_minutes", "tts_characters", "storage_bytes"


@pytest.fixture
def show(cast: Cast) -> Show:
    return make_show(cast.organization, cast.alice)


# --- the start -----------------------------------------------------------------------------------


def test_a_start_over_the_limit_is_refused_and_leaves_nothing(cast: Cast, show: Show) -> None:
    limit(cast, concurrent_broadcasts=1)
    put_live(cast)

    with pytest.raises(QuotaExceededError) as refused:
        start_broadcast(show=show, actor=cast.alice)

    assert refused.value.data is not None
    assert refused.value.data["meter"] == "concurrent_broadcasts"
    assert (refused.value.data["used"], refused.value.data["limit"]) == (1, 1)
    assert Broadcast.objects.filter(show=show).count() == 0
    finish_broadcast(broadcast=Broadcast.objects.get(), state="ended")
    start_broadcast(show=show, actor=cast.alice)


def test_another_organization_is_not_limited_by_it(cast: Cast) -> None:
    limit(cast, concurrent_broadcasts=0, broadcast_minutes=0)

    start_broadcast(show=make_show(cast.elsewhere, cast.charlie), actor=cast.charlie)


def test_a_start_sets_a_minute_aside_and_the_end_gives_it_back(cast: Cast, show: Show) -> None:
    limit(cast, broadcast_minutes=10)

    broadcast = start_broadcast(show=show, actor=cast.alice)
    assert sums() == (0, 60)

    finish_broadcast(broadcast=broadcast, state="failed", reason="never on air")
    assert sums() == (0, 0)


def test_a_day_without_minutes_left_starts_nothing(cast: Cast, show: Show) -> None:
    limit(cast, broadcast_minutes=1)
    use(cast, MINUTES, 41)

    with pytest.raises(QuotaExceededError):
        start_broadcast(show=show, actor=cast.alice)

    assert sums() == (41, 0)


def test_a_planned_airing_over_the_limit_is_missed_and_says_why(cast: Cast, show: Show) -> None:
    limit(cast, broadcast_minutes=0)
    start = (timezone.now() + timedelta(seconds=2)).replace(microsecond=0)
    make_schedule(
        show, starts_at_local=start.replace(tzinfo=None).isoformat(), timezone="UTC",
        planned_until=timezone.now(),
    )  # fmt: skip
    later = timezone.now() + timedelta(seconds=3)
    plan_airings(later)

    assert start_due_airings(later) == 0

    missed = Occurrence.objects.get()
    assert missed.state == "missed"
    assert missed.reason.startswith("The quota is used up: broadcast minutes a day, 0 of 0 in use.")


# --- minutes -------------------------------------------------------------------------------------


def test_minutes_are_counted_once_however_often_they_are_looked_at(cast: Cast) -> None:
    broadcast = on_air_since(put_live(cast), 100)
    now = timezone.now()

    for _ in range(3):
        keep_accounts(now)
        keep_accounts(now - timedelta(seconds=50))  # a loop that fell behind
    assert sums()[0] == 100

    finish_broadcast(broadcast=broadcast, state="ended")
    finish_broadcast(broadcast=broadcast, state="ended")
    assert 100 <= sums()[0] <= 102


def test_a_loop_that_was_away_counts_everything_later(cast: Cast) -> None:
    broadcast = on_air_since(put_live(cast), 3 * 86_400)

    keep_account(broadcast, timezone.now())

    assert 3 * 86_400 - 1 <= sums()[0] <= 3 * 86_400 + 2
    entries = UsageEntry.objects.filter(meter=MINUTES, holder=str(broadcast.pk)).order_by("day")
    assert len(entries) == 4
    assert [entry.used for entry in entries][1:3] == [86_400, 86_400]


def test_minutes_belong_to_the_organizations_day(cast: Cast) -> None:
    broadcast = put_live(cast)
    first = datetime(2026, 3, 1, 15, 59, 30, tzinfo=UTC)  # half a minute before midnight
    Broadcast.objects.filter(pk=broadcast.pk).update(first_frame_at=first)
    broadcast.refresh_from_db()

    keep_account(broadcast, first + timedelta(seconds=75))

    found = UsageEntry.objects.filter(meter=MINUTES, used__gt=0).values_list("day", "used")
    assert {str(day): used for day, used in found} == {"2026-03-01": 30, "2026-03-02": 45}


def test_what_is_set_aside_is_renewed_while_there_are_minutes(cast: Cast) -> None:
    limit(cast, broadcast_minutes=10)
    broadcast = on_air_since(put_live(cast), 50)

    keep_account(broadcast, timezone.now())

    used, reserved = sums()
    assert (used, reserved) in ((50, 70), (51, 69))
    assert Broadcast.objects.get().desired_state == "running"


def test_the_last_minutes_end_the_show_at_a_sentence_with_a_closing_line(cast: Cast) -> None:
    limit(cast, broadcast_minutes=1)
    broadcast = on_air_since(put_live(cast), 50)

    keep_accounts(timezone.now())
    keep_accounts(timezone.now())

    broadcast.refresh_from_db()
    assert (broadcast.state, broadcast.reason) == ("stopping", "quota_minutes")
    stop = broadcast.commands.get(name="stop")
    order = decode_command("stop", stop.args)
    assert (order.when, order.reason) == ("sentence_end", "quota_minutes")
    assert order.closing.kind == "spoken"
    assert order.closing.text.startswith("今天的直播就到这里")
    assert AuditEntry.objects.filter(action="streams.broadcast.quota_ended").count() == 1
    finish_stopped()
    broadcast.refresh_from_db()
    assert (broadcast.state, broadcast.reason) == ("ended", "quota_minutes")
    assert sums()[1] == 0


def test_the_closing_is_the_organizations_own_in_the_language_of_the_show(cast: Cast) -> None:
    limit(cast, broadcast_minutes=1)
    values = {"closing": "card", "closing_line_en": "Bye from Alice."}
    plans.set_closing(organization=cast.organization, values=values, actor=cast.alice)
    broadcast = on_air_since(put_live(cast, language="en-US"), 50)

    keep_accounts(timezone.now())

    closing = broadcast.commands.get(name="stop").args["closing"]
    assert (closing["kind"], closing["text"]) == ("card", "Bye from Alice.")


def test_a_broadcast_that_is_stopped_by_hand_keeps_its_reason(cast: Cast) -> None:
    limit(cast, broadcast_minutes=1)
    broadcast = on_air_since(put_live(cast), 55)
    stop_broadcast(broadcast=broadcast, actor=cast.alice)

    keep_accounts(timezone.now())

    broadcast.refresh_from_db()
    assert broadcast.reason == "stopped by the operator"
    assert broadcast.commands.filter(name="stop").count() == 1


def test_80_percent_is_an_event_on_every_broadcast_of_the_organization(
    cast: Cast, django_capture_on_commit_callbacks: Any
) -> None:
    limit(cast, broadcast_minutes=10)
    broadcast, other = on_air_since(put_live(cast), 485), put_live(cast)

    with django_capture_on_commit_callbacks(execute=True):
        keep_account(broadcast, timezone.now())
        keep_account(broadcast, timezone.now())

    for row in (broadcast, other):
        told = row.commands.get(name="tell_quota").args
        assert (told["level"], told["meter"], told["limit"]) == ("warning", MINUTES, 10.0)


# --- characters ----------------------------------------------------------------------------------


def test_characters_are_counted_once_by_who_made_them(cast: Cast) -> None:
    broadcast = put_live(cast)
    events = [made(1, "edge", 12), made(2, "espeak", 30), made(3, "openai_speech", 5)]

    for _ in range(2):  # replayed after a crash
        store_events(broadcast.pk, broadcast.lease_epoch, events)

    assert sums(CHARACTERS)[0] == 17
    assert sums("builtin_tts_characters")[0] == 30


def test_say_is_refused_when_its_characters_are_not_left(cast: Cast) -> None:
    limit(cast, tts_characters=10)
    vendor = put_live(cast, voice=server_voice(cast))
    use(cast, CHARACTERS, 6)

    with pytest.raises(QuotaExceededError):
        say(broadcast=vendor, speech=Speech("五个字。。"), actor=cast.bob)
    said = say(broadcast=vendor, speech=Speech("四个字。"), actor=cast.bob, idempotency_key="k")
    use(cast, CHARACTERS, 4)

    # The same request again is the same line, not a new one.
    again = say(broadcast=vendor, speech=Speech("四个字。"), actor=cast.bob, idempotency_key="k")
    assert again == said
    built_in = put_live(cast, voice=built_in_voice(cast))
    say(broadcast=built_in, speech=Speech("内置音色不计费，说多少都行。"), actor=cast.bob)


def test_used_up_characters_end_shows_with_a_server_voice_only(cast: Cast) -> None:
    limit(cast, tts_characters=10)
    vendor = put_live(cast, voice=server_voice(cast))
    built_in = put_live(cast, voice=built_in_voice(cast))
    store_events(vendor.pk, vendor.lease_epoch, [made(1, "openai_speech", 11)])

    keep_accounts(timezone.now())

    vendor.refresh_from_db()
    built_in.refresh_from_db()
    assert (vendor.state, vendor.reason) == ("stopping", "quota_tts_characters")
    assert built_in.state == BroadcastState.LIVE
    with pytest.raises(QuotaExceededError):
        start_broadcast(
            show=make_show(cast.organization, cast.alice, voice=vendor.show.voice),
            actor=cast.alice,
        )


# --- storage -------------------------------------------------------------------------------------


def write_recording(broadcast: Broadcast, size_bytes: int) -> None:
    """What a runner tells when it opens a file, and the file."""
    folder = settings.RECORDINGS_DIR / str(broadcast.pk)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.mp4").write_bytes(b"x" * size_bytes)
    data = {"id": "1", "path": str(folder / "a.mp4"), "state": "recording", "reason": ""}
    event = Event(1, "recording", timezone.now().isoformat(), data)
    store_events(broadcast.pk, broadcast.lease_epoch, [event])


def test_recordings_are_counted_as_they_grow(cast: Cast) -> None:
    broadcast = put_live(cast, record=True)
    write_recording(broadcast, 1000)
    assert stored_bytes(cast.organization.pk) == 1000

    (settings.RECORDINGS_DIR / str(broadcast.pk) / "a.mp4").write_bytes(b"x" * 2500)
    watch_storage()

    assert stored_bytes(cast.organization.pk) == 2500
    assert stored_bytes(cast.elsewhere.pk) == 0


def test_full_storage_ends_recordings_and_no_show(
    cast: Cast, django_capture_on_commit_callbacks: Any
) -> None:
    limit(cast, storage_bytes=2000)
    file = make_output(cast.organization, cast.alice, kind="file", url="copy.mp4", stream_key="")
    broadcast = put_live(cast, record=True, outputs=[file])
    write_recording(broadcast, 2000)

    with django_capture_on_commit_callbacks(execute=True):
        watch_storage()
        watch_storage()

    broadcast.refresh_from_db()
    assert broadcast.state == BroadcastState.LIVE
    assert not broadcast.recording_wanted
    names = [row.name for row in broadcast.commands.order_by("created_at")]
    assert sorted(names) == ["output_stop", "record", "tell_quota", "tell_quota"]
    levels = [row.args["level"] for row in broadcast.commands.filter(name="tell_quota")]
    assert sorted(levels) == ["reached", "warning"]
    with pytest.raises(QuotaExceededError):
        set_recording(broadcast=broadcast, on=True, actor=cast.bob)


def test_a_show_starts_without_its_recording_when_storage_is_full(cast: Cast) -> None:
    limit(cast, storage_bytes=10)
    note_file(cast.organization.pk, "recording", "old", 10)

    broadcast = put_live(cast, record=True)

    broadcast.refresh_from_db()
    assert not broadcast.recording_wanted
    assert broadcast.commands.get().args["meter"] == STORAGE
    assert not run_folder(broadcast.pk).exists()
