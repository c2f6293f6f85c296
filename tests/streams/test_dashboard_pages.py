"""The first page, and the pages of shows and broadcasts."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from accounts.roles import Role
from streams.models import Broadcast, BroadcastEvent, Occurrence, Recording
from streams.services.lengths import clock_text, estimate_text_seconds
from streams.services.lifecycle import finish_broadcast
from tests.factories import Cast, add_member
from tests.streams.plans import make_output, make_schedule, make_show, put_live
from tests.streams.test_admin import change, errors_of
from tests.streams.test_dashboard_live import page_of, signed_in_as

INDEX = "/admin/"
TIMELINE = "/admin/timeline/"


def tell(broadcast: Broadcast, sequence: int, kind: str, /, **data: Any) -> None:
    BroadcastEvent.objects.create(
        broadcast=broadcast, sequence=sequence, kind=kind, at=timezone.now(), data=data
    )


@pytest.fixture
def bobs_browser(cast: Cast) -> Browser:
    return signed_in_as(cast.bob)


# --- the first page ------------------------------------------------------------------------------


def test_first_page_tells_what_airs_what_comes_and_what_failed(
    cast: Cast, bobs_browser: Browser
) -> None:
    broadcast = put_live(cast)
    tell(broadcast, 1, "worker", kind="face", pid=1, state="died", reason="signal 9")
    daily = make_show(cast.organization, cast.alice, title="Daily news")
    make_schedule(daily, rrule="FREQ=DAILY")
    missed = make_show(cast.organization, cast.alice, title="Morning talk")
    missed_at = timezone.now() - timedelta(hours=3)
    Occurrence.objects.create(show=missed, starts_at=missed_at, state="missed", reason="too late")

    first = page_of(bobs_browser, INDEX)

    assert first.index("/admin/live/") < first.index("/admin/timeline/")
    assert "Evening" in first
    assert first.count("Daily news") == 2
    assert "The picture&#x27;s process died and was replaced" in first
    assert "A planned start was missed" in first
    assert "too late" in first


def test_first_page_of_an_outsider_is_empty(cast: Cast) -> None:
    broadcast = put_live(cast)
    tell(broadcast, 1, "recording", id="r", path="x", state="failed", reason="disk full")
    make_schedule(broadcast.show, rrule="FREQ=DAILY")

    page = page_of(signed_in_as(cast.charlie), INDEX)

    for text in ("Nothing is on air", "No show is planned", "Nothing went wrong."):
        assert text in page
    assert "Evening" not in page


def test_broadcast_that_failed_without_an_event_is_told_once(
    cast: Cast, bobs_browser: Browser
) -> None:
    broadcast = put_live(cast)
    finish_broadcast(broadcast=broadcast, state="failed", reason="no machine left")

    page = page_of(bobs_browser, INDEX)

    assert page.count("The broadcast failed") == 1
    assert "no machine left" in page


# --- the show ------------------------------------------------------------------------------------


def test_start_button_of_a_show_goes_to_its_broadcast(cast: Cast, bobs_browser: Browser) -> None:
    show = make_show(cast.organization, cast.alice)
    page = reverse("admin:streams_show_change", args=[show.pk])
    url = reverse("admin:streams_show_start", args=[show.pk])

    before = page_of(bobs_browser, page)
    answer = bobs_browser.post(url)
    after = page_of(bobs_browser, page)

    broadcast = Broadcast.objects.get()
    assert url in before
    assert answer["Location"] == reverse("admin:streams_broadcast_change", args=[broadcast.pk])
    assert broadcast.started_by == cast.bob
    assert url not in after
    assert f"/studio/broadcasts/{broadcast.pk}/" in after
    assert f"/watch/{show.pk}/" in after


@pytest.mark.parametrize("cues", [[], [{"text": "好。"}]])
def test_start_button_tells_why_not(cast: Cast, bobs_browser: Browser, cues: Any) -> None:
    show = make_show(cast.organization, cast.alice, cues=cues)
    url = reverse("admin:streams_show_start", args=[show.pk])
    expected = "add a cue" if not cues else "on air already"
    if cues:
        bobs_browser.post(url)

    answer = bobs_browser.post(url, follow=True)

    assert expected in " ".join(str(message) for message in answer.context["messages"])
    assert Broadcast.objects.count() == len(cues)


def test_start_button_of_another_organization_is_not_there(cast: Cast) -> None:
    show = make_show(cast.organization, cast.alice)
    url = reverse("admin:streams_show_start", args=[show.pk])
    charlie = signed_in_as(cast.charlie)

    assert charlie.post(url).status_code == 404
    assert not Broadcast.objects.exists()


def test_pasted_script_becomes_cues_at_the_end(cast: Cast, browser: Browser) -> None:
    show = make_show(cast.organization, cast.alice)
    script = "[wave] 大家好。\r\n第二行。\r\n\r\n   \r\n第二条 [pause 0.5] 完。\n\n\n最后。\n"

    answer = change(browser, show, script=script)

    assert answer.status_code == 302, errors_of(answer)
    assert [cue.text for cue in show.cues.all()][2:] == [
        "[wave] 大家好。\n第二行。",
        "第二条 [pause 0.5] 完。",
        "最后。",
    ]
    positions = [cue.position for cue in show.cues.all()]
    assert positions == sorted(set(positions))


def test_pasted_script_with_a_mistake_names_the_cue_and_saves_nothing(
    cast: Cast, browser: Browser
) -> None:
    show = make_show(cast.organization, cast.alice)

    answer = change(browser, show, title="New", script="好。\n\n[dance] 坏。")

    assert answer.status_code == 200
    assert "2" in str(answer.context["adminform"].form.errors["script"])
    assert "dance" in str(answer.context["adminform"].form.errors["script"])
    show.refresh_from_db()
    assert (show.title, show.cues.count()) == ("Evening", 2)


def test_script_of_more_cues_than_fit_is_refused_whole(cast: Cast, browser: Browser) -> None:
    show = make_show(cast.organization, cast.alice)

    script = "\n\n".join(["好。"] * 499)

    answer = change(browser, show, script=script)

    assert answer.status_code == 200
    form = answer.context["adminform"].form
    assert "500" in str(form.errors)
    assert form["script"].value() == script
    assert show.cues.count() == 2


def test_cues_are_reordered_by_their_positions(cast: Cast, browser: Browser) -> None:
    show = make_show(cast.organization, cast.alice)

    change(browser, show, **{"cues-0-position": "9", "cues-1-position": "1"})

    assert [cue.text for cue in show.cues.all()] == ["第三句。", "第一句。第二句。"]


def test_lengths_are_shown_per_cue_and_in_total(cast: Cast, browser: Browser) -> None:
    cues = [{"kind": "pause", "pause_seconds": 61.0}, {"kind": "pause", "pause_seconds": 4.0}]
    show = make_show(cast.organization, cast.alice, cues=cues)

    page = page_of(browser, reverse("admin:streams_show_change", args=[show.pk]))

    for length in ("1:01", "0:04", "1:05"):
        assert length in page


@pytest.mark.parametrize(
    ("text", "language", "low", "high"),
    [
        # Measured with the built-in voices: 4.48 s, 4.36 s.
        ("您现在看到和听到的，都是实时生成的。", "zh-CN", 3.8, 5.2),
        ("You can type a line in the studio, and I will say it at the end of this sentence.",
         "en-US", 3.7, 5.4),
        ("[wave] [pause 2]", "zh-CN", 2.0, 2.0),
        ("[dance] 坏", "zh-CN", 0.0, 0.0),
        ("", "zh-CN", 0.0, 0.0),
    ],
)  # fmt: skip
def test_length_of_a_text_is_estimated(text: str, language: str, low: float, high: float) -> None:
    assert low <= estimate_text_seconds(text, language) <= high


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (65.4, "1:05"), (3723, "1:02:03")])
def test_clock_text(seconds: float, text: str) -> None:
    assert clock_text(seconds) == text


# --- the broadcast -------------------------------------------------------------------------------


def test_broadcast_page_tells_what_was_said_and_what_went_wrong(
    cast: Cast, bobs_browser: Browser
) -> None:
    output = make_output(cast.organization, cast.alice, name="Douyin")
    broadcast = put_live(cast, outputs=[output])
    row = broadcast.outputs.get()
    for sequence in range(1, 4):
        tell(broadcast, sequence, "output", id=str(row.pk), state="retrying", reason="refused")
    tell(broadcast, 4, "worker", kind="speech", pid=7, state="died", reason="signal 9")
    broadcast.utterances.create(source="operator", text="刚才说的话", state="said")
    recording = Recording.objects.create(broadcast=broadcast, runner_key="r", path="a.mp4")

    page = page_of(bobs_browser, reverse("admin:streams_broadcast_change", args=[broadcast.pk]))

    assert "刚才说的话" in page
    assert "Output Douyin lost its connection and tries again <b>×3</b>" in page
    assert "The voice&#x27;s process died and was replaced" in page
    assert f"/api/v1/recordings/{recording.pk}/file/?signature=" in page
    assert f"/studio/broadcasts/{broadcast.pk}/" in page
    for verb in ("stop", "interrupt", "say"):
        assert reverse("admin:live_button", args=[broadcast.pk, verb]) in page


def test_each_part_that_failed_is_told_by_its_name(cast: Cast, bobs_browser: Browser) -> None:
    broadcast = put_live(cast)
    words = {
        "recorder": "The recording failed",
        "idle_loop": "The stored idle picture could not be used",
        "voice:edge": "A voice could not say a sentence",
        "face": "The picture&#x27;s process could not be started",
    }
    for sequence, kind in enumerate(words, 1):
        tell(broadcast, sequence, "worker", kind=kind, pid=0, state="failed", reason=kind)

    page = page_of(bobs_browser, reverse("admin:streams_broadcast_change", args=[broadcast.pk]))

    for told in words.values():
        assert page.count(told) == 1


def test_events_are_told_in_words_and_without_ids(cast: Cast, bobs_browser: Browser) -> None:
    output = make_output(cast.organization, cast.alice, name="Douyin")
    broadcast = put_live(cast, outputs=[output])
    row = broadcast.outputs.get()
    broadcast.utterances.create(
        source="script", text="半句", state="interrupted", played_ms=1200, duration_ms=3000
    )
    tell(broadcast, 1, "output", id=str(row.pk), state="waiting_for_key", bitrate_kbps=0)
    tell(broadcast, 2, "speech.made", voice=str(row.pk), engine="espeak", characters=12)
    tell(broadcast, 3, "of.tomorrow", shape="round", parts=[1])

    page = page_of(bobs_browser, reverse("admin:streams_broadcast_change", args=[broadcast.pk]))

    assert "<b>name</b> Douyin" in page
    assert "<b>state</b> Waiting for today&#x27;s key" in page
    assert "Sentence made" in page
    assert "<b>shape</b> round" in page
    assert f"</b> {row.pk}" not in page
    assert "1.2 of 3.0 s" in page


def test_broadcast_page_has_no_buttons_when_it_is_over(cast: Cast, bobs_browser: Browser) -> None:
    broadcast = put_live(cast)
    finish_broadcast(broadcast=broadcast, state="ended")

    page = page_of(bobs_browser, reverse("admin:streams_broadcast_change", args=[broadcast.pk]))

    assert reverse("admin:live_button", args=[broadcast.pk, "stop"]) not in page
    assert reverse("admin:live_button", args=[broadcast.pk, "say"]) not in page


def test_broadcast_page_of_another_organization_is_not_there(cast: Cast) -> None:
    broadcast = put_live(cast)
    url = reverse("admin:streams_broadcast_change", args=[broadcast.pk])

    assert signed_in_as(cast.charlie).get(url).status_code == 302


# --- the rules of the browser --------------------------------------------------------------------


def test_no_page_holds_inline_script_or_style(cast: Cast) -> None:
    broadcast = put_live(cast, outputs=[make_output(cast.organization, cast.alice)])
    make_schedule(broadcast.show, rrule="FREQ=DAILY")
    producer = signed_in_as(add_member(cast.organization, Role.PRODUCER))
    urls = [INDEX, "/admin/live/", TIMELINE, f"{TIMELINE}?view=day"]
    urls += [reverse("admin:streams_show_change", args=[broadcast.show_id])]
    urls += [reverse("admin:streams_broadcast_change", args=[broadcast.pk])]

    for url in urls:
        answer = producer.get(url)
        page = answer.content.decode()
        assert "script-src 'self'" in answer["Content-Security-Policy"]
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page), url
        assert not re.findall(r"<script(?![^>]*\ssrc=)", page), url
