"""The admin: rows of one's organization, buttons that call services, keys that only go in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from accounts.hooks import Happening
from accounts.models import AuditEntry
from livestudio.common import vault
from streams.models import Broadcast, Output, Schedule, Show
from streams.services.airing import plan_airings
from streams.services.lifecycle import finish_broadcast
from streams.services.schedule import replace_schedule
from tests.factories import Cast
from tests.streams.plans import CANARY_KEY, RTMP_URL, make_output, make_show, put_live
from voices.models import Voice

SHOWS = "admin:streams_show_changelist"
OUTPUTS = "admin:streams_output_changelist"
BROADCASTS = "admin:streams_broadcast_changelist"


@pytest.fixture
def bobs_browser(cast: Cast) -> Browser:
    """Bob, who operates and may not edit, in the admin."""
    browser = Browser()
    browser.force_login(cast.bob)
    return browser


@pytest.fixture
def happened(monkeypatch: pytest.MonkeyPatch) -> list[Happening]:
    """What is told outside, in its order."""
    found: list[Happening] = []
    monkeypatch.setattr("accounts.events.EVENT_HAPPENED", [found.append])
    return found


def run_action(browser: Browser, page: str, action: str, *rows: Any) -> list[str]:
    """Choose rows, run an action, and read what the next page says."""
    body = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    answer = browser.post(reverse(page), body, follow=True)
    assert answer.status_code == 200
    return [str(message) for message in answer.context["messages"]]


def show_form(show: Show, **values: Any) -> dict[str, Any]:
    """What the form of a show sends with its two cues unchanged."""
    first, second = show.cues.all()
    body: dict[str, Any] = {
        "organization": str(show.organization_id), "title": show.title,
        "avatar": str(show.avatar_id), "voice": str(show.voice_id), "language": "zh-CN",
        "profile": "virtual_host", "visibility": "private", "background_0": "studio",
        "rundown_mode": "once", "loop_pause_seconds": "0", "ends": "after_rundown",
        "label_preset": "bilingual", "label_position": "top_left",
        "logo_position": "top_right", "clock_format": "none", "clock_position": "top_right",
        "cues-TOTAL_FORMS": "2", "cues-INITIAL_FORMS": "2",
        "schedule-TOTAL_FORMS": "0", "schedule-INITIAL_FORMS": "0",
    }  # fmt: skip
    for index, cue in enumerate((first, second)):
        row = {
            "id": str(cue.pk), "show": str(show.pk), "position": str(index), "kind": "speech",
            "text": cue.text, "expression": "neutral", "gesture": "none", "emotion": "3",
            "pause_seconds": "0",
        }  # fmt: skip
        body |= {f"cues-{index}-{name}": value for name, value in row.items()}
    return {**body, **values}


def change(browser: Browser, show: Show, **values: Any) -> Any:
    page = reverse("admin:streams_show_change", args=[show.pk])
    return browser.post(page, show_form(show, **values))


def errors_of(answer: Any) -> str:
    """All the text a form with mistakes says."""
    forms = [answer.context["adminform"].form]
    forms += [f for item in answer.context["inline_admin_formsets"] for f in item.formset.forms]
    return " ".join(str(form.errors) for form in forms)


def test_start_and_stop_buttons_call_the_services(cast: Cast, browser: Browser) -> None:
    show = make_show(cast.organization, cast.alice)

    started = run_action(browser, SHOWS, "start_shows", show)
    again = run_action(browser, SHOWS, "start_shows", show)
    stopped = run_action(browser, SHOWS, "stop_shows", show)

    assert "Evening" in started[0]
    assert "此节目已在直播" in again[0]
    assert "Evening" in stopped[0]
    assert Broadcast.objects.get().state == "stopping"


def test_start_button_tells_what_is_missing(cast: Cast, browser: Browser) -> None:
    show = make_show(cast.organization, cast.alice, cues=[])

    assert "请添加内容" in run_action(browser, SHOWS, "start_shows", show)[0]
    assert not Broadcast.objects.exists()


def test_stop_of_a_show_that_is_not_on_air_says_so(cast: Cast, browser: Browser) -> None:
    show = make_show(cast.organization, cast.alice)

    assert len(run_action(browser, SHOWS, "stop_shows", show)) == 1


def test_operator_starts_but_does_not_edit(cast: Cast, bobs_browser: Browser) -> None:
    show = make_show(cast.organization, cast.alice)

    run_action(bobs_browser, SHOWS, "start_shows", show)
    refused = change(bobs_browser, show, title="Bob's")

    assert Broadcast.objects.get().started_by == cast.bob
    assert refused.status_code == 403
    show.refresh_from_db()
    assert show.title == "Evening"


def test_rows_of_another_organization_are_not_there(cast: Cast, browser: Browser) -> None:
    foreign = make_show(cast.elsewhere, cast.charlie, title="Foreign")
    output = make_output(cast.elsewhere, cast.charlie, name="Foreign")

    for page in (SHOWS, OUTPUTS):
        assert "Foreign" not in browser.get(reverse(page)).content.decode()
    for name, row in (("show", foreign), ("output", output)):
        answer = browser.get(reverse(f"admin:streams_{name}_change", args=[row.pk]))
        assert answer.status_code == 302
    run_action(browser, SHOWS, "start_shows", foreign)
    assert not Broadcast.objects.exists()


def test_show_is_changed_with_its_cues(cast: Cast, browser: Browser) -> None:
    show = make_show(cast.organization, cast.alice)

    answer = change(browser, show, title="Morning", **{"cues-0-text": "改了。"})

    assert answer.status_code == 302, errors_of(answer)
    show.refresh_from_db()
    assert (show.title, show.cues.all()[0].text) == ("Morning", "改了。")
    assert AuditEntry.objects.filter(action="streams.show.changed").exists()


def test_cue_with_a_bad_directive_is_refused_beside_its_field(cast: Cast, browser: Browser) -> None:
    show = make_show(cast.organization, cast.alice)

    answer = change(browser, show, **{"cues-1-text": "[dance] 好"})

    assert answer.status_code == 200
    assert "dance" in errors_of(answer)


def test_show_cannot_use_another_organizations_voice(cast: Cast, browser: Browser) -> None:
    show = make_show(cast.organization, cast.alice)
    foreign = Voice.objects.filter(organization=cast.elsewhere)[0]

    answer = change(browser, show, voice=str(foreign.pk))

    assert answer.status_code == 200
    show.refresh_from_db()
    assert show.voice_id != foreign.pk


def test_schedule_is_checked_in_the_form(cast: Cast, browser: Browser) -> None:
    show = make_show(cast.organization, cast.alice)
    row = {
        "schedule-TOTAL_FORMS": "1",
        "schedule-0-starts_at_local": "2027-03-01T20:00:00",
        "schedule-0-timezone": "Asia/Shanghai",
        "schedule-0-exdates": "",
        "schedule-0-catch_up": "skip",
    }

    refused = change(browser, show, **row, **{"schedule-0-rrule": "FREQ=SECONDLY"})
    taken = change(browser, show, **row, **{"schedule-0-rrule": "FREQ=DAILY"})

    assert "FREQ" in errors_of(refused)
    assert taken.status_code == 302
    show.refresh_from_db()
    assert show.schedule.rrule == "FREQ=DAILY"


def test_dates_are_left_out_one_in_a_line(cast: Cast, browser: Browser) -> None:
    show = make_show(cast.organization, cast.alice)
    row = {
        "schedule-TOTAL_FORMS": "1", "schedule-0-rrule": "FREQ=DAILY",
        "schedule-0-starts_at_local": "2030-03-01T20:00", "schedule-0-timezone": "Asia/Shanghai",
        "schedule-0-catch_up": "skip",
    }  # fmt: skip

    refused = change(browser, show, **row, **{"schedule-0-exdates": "2030-03-02\nsoon"})
    taken = change(browser, show, **row, **{"schedule-0-exdates": " 2030-03-02\r\n\r\n2030-03-03 "})

    assert "请给出不带时区的当地时间" in errors_of(refused)
    assert taken.status_code == 302
    show.refresh_from_db()
    assert show.schedule.exdates == ["2030-03-02T20:00:00", "2030-03-03T20:00:00"]
    page = browser.get(reverse("admin:streams_show_change", args=[show.pk])).content.decode()
    assert "2030-03-02T20:00:00\n2030-03-03T20:00:00</textarea>" in page


def test_zone_is_chosen_from_all_and_an_old_one_stays(cast: Cast, browser: Browser) -> None:
    show = make_show(cast.organization, cast.alice)
    Schedule.objects.create(
        show=show, starts_at_local="2030-03-01T20:00:00", timezone="Moon/<Crater>"
    )

    page = browser.get(reverse("admin:streams_show_change", args=[show.pk])).content.decode()

    assert '<option value="Moon/&lt;Crater&gt;" selected>' in page
    assert '<option value="Asia/Shanghai">Asia/Shanghai</option>' in page


def test_schedule_changed_in_the_form_replaces_what_was_planned(
    cast: Cast, browser: Browser
) -> None:
    show = make_show(cast.organization, cast.alice)
    tomorrow = timezone.now() + timedelta(days=1)
    local = tomorrow.replace(tzinfo=None, microsecond=0).isoformat()
    replace_schedule(show, {"starts_at_local": local, "timezone": "UTC"})
    plan_airings(timezone.now())
    row = {
        "schedule-TOTAL_FORMS": "1", "schedule-INITIAL_FORMS": "1",
        "schedule-0-id": str(show.schedule.pk), "schedule-0-show": str(show.pk),
        "schedule-0-starts_at_local": local, "schedule-0-exdates": "",
        "schedule-0-catch_up": "skip",
    }  # fmt: skip

    change(browser, show, **row, **{"schedule-0-timezone": "UTC"}, title="Same hour")
    kept = [item.pk for item in show.occurrences.all()]
    change(browser, show, **row, **{"schedule-0-timezone": "America/New_York"})
    plan_airings(timezone.now())

    assert len(kept) == 1
    (moved,) = show.occurrences.all()
    assert moved.pk != kept[0]
    assert moved.starts_at - tomorrow > timedelta(hours=3)


def test_new_show_is_made_in_the_admin(cast: Cast, browser: Browser) -> None:
    pattern = make_show(cast.organization, cast.alice)
    body = show_form(pattern, title="Made here", **{"cues-INITIAL_FORMS": "0"})
    body = {name: value for name, value in body.items() if not name.endswith(("-id", "-show"))}

    answer = browser.post(reverse("admin:streams_show_add"), body)

    assert answer.status_code == 302, errors_of(answer)
    made = Show.objects.get(title="Made here")
    assert made.organization == cast.organization
    assert made.cues.count() == 2
    assert "Made here" in run_action(browser, SHOWS, "start_shows", made)[0]


def test_what_is_done_to_a_show_in_the_admin_is_told_outside(
    cast: Cast, browser: Browser, happened: list[Happening]
) -> None:
    pattern = make_show(cast.organization, cast.alice)
    body = show_form(pattern, title="Made here", **{"cues-INITIAL_FORMS": "0"})
    body = {name: value for name, value in body.items() if not name.endswith(("-id", "-show"))}
    happened.clear()

    browser.post(reverse("admin:streams_show_add"), body)
    change(browser, pattern, title="Changed here", script="One more cue.")

    told = [(item.kind, item.data["title"]) for item in happened]
    assert told == [("show.created", "Made here"), ("show.changed", "Changed here")]


def test_refusal_of_a_start_is_told_in_the_language_of_the_page(
    cast: Cast, browser: Browser
) -> None:
    show = make_show(cast.organization, cast.alice, cues=[])
    browser.cookies["django_language"] = "zh-hans"
    page = reverse("admin:streams_show_start", args=[show.pk])

    by_action = run_action(browser, SHOWS, "start_shows", show)[0]
    by_button = [str(item) for item in browser.post(page, follow=True).context["messages"]][0]

    for text in (by_action, by_button):
        assert "节目单是空的" in text
        assert "cannot go on air" not in text


def test_deleted_show_is_put_away(cast: Cast, browser: Browser) -> None:
    broadcast = put_live(cast)
    page = reverse("admin:streams_show_delete", args=[broadcast.show_id])

    browser.post(page, {"post": "yes"})
    on_air = Show.objects.get(pk=broadcast.show_id).archived_at
    finish_broadcast(broadcast=broadcast, state="ended")
    browser.post(page, {"post": "yes"})

    assert on_air is None
    assert Show.objects.get(pk=broadcast.show_id).archived_at is not None
    assert Broadcast.objects.filter(pk=broadcast.pk).exists()


def test_output_key_goes_in_and_is_kept_when_left_empty(cast: Cast, browser: Browser) -> None:
    body = {"organization": str(cast.organization.pk), "name": "Main", "kind": "rtmp"}
    body |= {"url": RTMP_URL, "stream_key": CANARY_KEY}
    made = browser.post(reverse("admin:streams_output_add"), body)
    output = Output.objects.get()

    page = reverse("admin:streams_output_change", args=[output.pk])
    changed = browser.post(page, {**body, "name": "Renamed", "stream_key": ""})

    assert (made.status_code, changed.status_code) == (302, 302)
    output.refresh_from_db()
    assert output.name == "Renamed"
    assert vault.open_from(output, "sealed_stream_key") == CANARY_KEY


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"url": "rtmp://10.0.0.1/live"}, "url"),
        ({"url": "http://127.0.0.1/live"}, "url"),
        ({"stream_key": "two words"}, "stream_key"),
        ({"kind": "file", "url": "../a.mp4"}, "url"),
    ],
)
def test_output_form_refuses_bad_value(
    cast: Cast, browser: Browser, values: dict[str, str], field: str
) -> None:
    body = {"organization": str(cast.organization.pk), "name": "Main", "kind": "rtmp"}
    body |= {"url": RTMP_URL, "stream_key": CANARY_KEY, **values}

    answer = browser.post(reverse("admin:streams_output_add"), body)

    assert answer.status_code == 200
    assert field in answer.context["adminform"].form.errors
    assert not Output.objects.exists()


def test_output_with_a_new_address_needs_its_key(cast: Cast, browser: Browser) -> None:
    output = make_output(cast.organization, cast.alice)
    page = reverse("admin:streams_output_change", args=[output.pk])
    body = {"name": "Main", "kind": "rtmp", "url": "rtmp://127.0.0.1:1936/x", "stream_key": ""}

    answer = browser.post(page, body)

    assert "stream_key" in answer.context["adminform"].form.errors


def test_output_on_air_is_not_deleted(cast: Cast, browser: Browser) -> None:
    output = make_output(cast.organization, cast.alice)
    put_live(cast, outputs=[output])

    answer = browser.post(reverse("admin:streams_output_delete", args=[output.pk]), {"post": "yes"})

    assert Output.objects.filter(pk=output.pk).exists()
    assert any("直播" in str(message) for message in get_messages(answer.wsgi_request))


def test_broadcast_is_read_only_and_can_be_stopped(cast: Cast, browser: Browser) -> None:
    broadcast = put_live(cast)
    page = reverse("admin:streams_broadcast_change", args=[broadcast.pk])

    assert browser.get(page).status_code == 200
    assert browser.post(page, {"state": "ended"}).status_code == 403
    run_action(browser, BROADCASTS, "stop_broadcasts", broadcast)

    broadcast.refresh_from_db()
    assert broadcast.state == "stopping"


def test_stop_of_a_broadcast_that_is_over_says_so(cast: Cast, browser: Browser) -> None:
    broadcast = put_live(cast)
    finish_broadcast(broadcast=broadcast, state="ended")

    assert "这场直播已结束" in run_action(browser, BROADCASTS, "stop_broadcasts", broadcast)[0]
