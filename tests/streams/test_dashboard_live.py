"""The live page: cards of one's own organizations, and buttons that do what the API does."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.roles import Role
from inference.protocol import Event
from streams.models import Broadcast, ControlCommand, MetricSample, Utterance
from streams.runner_events import apply_event
from streams.services.lifecycle import finish_broadcast
from streams.services.thumbnails import keep_thumbnail
from tests.factories import Cast, add_member
from tests.streams.plans import CANARY_KEY, make_output, put_live

LIVE = "/admin/live/"
CARDS = "/admin/live/cards/"


def signed_in_as(user: User, language: str = "en") -> Browser:
    browser = Browser(headers={"accept-language": language})
    browser.force_login(user)
    return browser


@pytest.fixture
def bobs_browser(cast: Cast) -> Browser:
    return signed_in_as(cast.bob)


def press(browser: Browser, broadcast: Broadcast, verb: str, **form: str) -> list[str]:
    """Press a button and read what the page says afterwards."""
    url = reverse("admin:live_button", args=[broadcast.pk, verb])
    answer = browser.post(url, form, follow=True)
    assert answer.status_code == 200
    return [f"{message.level_tag}: {message}" for message in answer.context["messages"]]


def page_of(browser: Browser, url: str = LIVE) -> str:
    answer = browser.get(url)
    assert answer.status_code == 200
    return str(answer.content.decode())


def tell(broadcast: Broadcast, kind: str, **data: Any) -> None:
    """An event of the runner, as it would come in."""
    apply_event(broadcast, Event(1, kind, timezone.now().isoformat(), data))


def test_card_shows_what_is_on_air(cast: Cast, bobs_browser: Browser) -> None:
    broadcast = put_live(cast, outputs=[make_output(cast.organization, cast.alice)])
    cues = broadcast.snapshot["cues"]
    spoken = {"id": str(uuid4()), "source": "script", "text": "第三句。", "state": "speaking"}
    tell(broadcast, "cursor", cue=cues[1]["id"], sentence=0, loop=0)
    tell(broadcast, "utterance", **spoken, generation=1)
    Broadcast.objects.filter(pk=broadcast.pk).update(
        first_frame_at=timezone.now() - timedelta(seconds=65),
        metrics={"fps": 25, "skew_ms": 12.3},
    )

    page = page_of(bobs_browser)

    for text in ("Evening", "Live", "2 / 2", "第三句。", "Main", "Connecting"):
        assert text in page
    assert re.search(r"\b1:[01]\d</span>", page)
    assert "Frame rate: 25 fps now, between 25 and 25 lately" in page


def test_charts_are_drawn_from_kept_samples(cast: Cast, bobs_browser: Browser) -> None:
    broadcast = put_live(cast)
    for seconds, fps in ((20, 15), (10, 30)):
        at = timezone.now() - timedelta(seconds=seconds)
        MetricSample.objects.create(broadcast=broadcast, at=at, values={"fps": fps})

    lines = re.findall(r'<polyline points="([^"]+)"', page_of(bobs_browser))

    assert lines == ["2.0,16.0 60.0,2.0"]


def test_broken_numbers_do_not_break_the_page(cast: Cast, bobs_browser: Browser) -> None:
    broadcast = put_live(cast)
    Broadcast.objects.filter(pk=broadcast.pk).update(metrics={"fps": None, "skew_ms": "x"})

    assert "Frame rate: no numbers yet" in page_of(bobs_browser)


def test_picture_is_shown_once_there_is_one(cast: Cast, bobs_browser: Browser) -> None:
    broadcast = put_live(cast)
    before = page_of(bobs_browser)
    keep_thumbnail(broadcast.pk, b"\xff\xd8picture")

    after = page_of(bobs_browser)

    assert "No picture yet" in before
    url = re.findall(r'<img src="([^"]+)"', after)[0].replace("&amp;", "&")
    assert Browser().get(url).content == b"\xff\xd8picture"


def test_fragment_holds_the_cards_and_nothing_else(cast: Cast, bobs_browser: Browser) -> None:
    broadcast = put_live(cast)

    fragment = page_of(bobs_browser, CARDS)

    assert f"card-{broadcast.pk}" in fragment
    assert "<html" not in fragment


def test_broadcast_that_is_over_leaves_the_page(cast: Cast, bobs_browser: Browser) -> None:
    broadcast = put_live(cast)
    finish_broadcast(broadcast=broadcast, state="ended")

    assert "Nothing is on air" in page_of(bobs_browser)


def test_outsider_sees_nothing_and_presses_nothing(cast: Cast) -> None:
    broadcast = put_live(cast)
    charlie = signed_in_as(cast.charlie)

    url = reverse("admin:live_button", args=[broadcast.pk, "stop"])
    pressed = charlie.post(url)

    assert "Nothing is on air" in page_of(charlie)
    assert str(broadcast.pk) not in page_of(charlie, CARDS)
    assert pressed.status_code == 404
    broadcast.refresh_from_db()
    assert broadcast.state == "live"


@pytest.mark.parametrize("url", [LIVE, CARDS, "/admin/timeline/"])
def test_pages_are_for_those_who_may_open_the_admin(cast: Cast, url: str) -> None:
    viewer = signed_in_as(add_member(cast.organization, Role.VIEWER, "dora"))

    for browser in (Browser(), viewer):
        answer = browser.get(url)
        assert answer.status_code == 302
        assert "/admin/login/" in answer["Location"]


def test_viewer_cannot_press(cast: Cast) -> None:
    broadcast = put_live(cast)
    viewer = signed_in_as(add_member(cast.organization, Role.VIEWER, "dora"))

    answer = viewer.post(reverse("admin:live_button", args=[broadcast.pk, "stop"]))

    assert "/admin/login/" in answer["Location"]
    assert not ControlCommand.objects.exists()


@pytest.mark.parametrize(
    ("verb", "form", "command", "args"),
    [
        ("stop", {}, "stop", {"when": "sentence_end", "reason": "stopped by the operator"}),
        ("stop", {"when": "now"}, "stop", {"when": "now", "reason": "stopped by the operator"}),
        ("skip", {}, "skip", {}),
        ("pause", {}, "pause", {}),
        ("resume", {}, "resume", {}),
    ],
)
def test_button_writes_the_command_of_its_verb(
    cast: Cast, bobs_browser: Browser, verb: str, form: dict[str, str], command: str, args: Any
) -> None:
    broadcast = put_live(cast)

    told = press(bobs_browser, broadcast, verb, **form)

    row = ControlCommand.objects.get()
    assert (row.name, row.args, row.actor) == (command, args, cast.bob)
    assert told[0].startswith("success: Evening")


@pytest.mark.parametrize("verb", ["stop", "say", "interrupt", "skip", "pause", "resume"])
def test_button_of_a_broadcast_that_is_over_tells_so(
    cast: Cast, bobs_browser: Browser, verb: str
) -> None:
    broadcast = put_live(cast)
    finish_broadcast(broadcast=broadcast, state="ended")

    told = press(bobs_browser, broadcast, verb, text="你好")

    assert told == ["error: Evening: This broadcast is over."]
    if verb == "stop":
        assert press(signed_in_as(cast.bob, "zh-hans"), broadcast, verb) == [
            "error: Evening: 这场直播已结束。"
        ]


@pytest.mark.parametrize(("interrupt", "expected"), [("", False), ("true", True)])
def test_say_queues_the_line(
    cast: Cast, bobs_browser: Browser, interrupt: str, expected: bool
) -> None:
    broadcast = put_live(cast)

    told = press(bobs_browser, broadcast, "say", text="欢迎新朋友！", interrupt=interrupt)

    assert told == ["success: Evening: the line is on its way."]
    assert Utterance.objects.get().text == "欢迎新朋友！"
    assert ControlCommand.objects.get().args["interrupt"] is expected


def test_line_sent_twice_with_one_key_is_said_once(cast: Cast, bobs_browser: Browser) -> None:
    broadcast = put_live(cast)

    for _ in range(2):
        press(bobs_browser, broadcast, "say", text="一次", idempotency_key="k1")

    assert Utterance.objects.count() == 1


@pytest.mark.parametrize("text", ["", "   ", "[dance] 好", "[wave]", "长" * 2001])
def test_line_that_cannot_be_said_is_refused(cast: Cast, bobs_browser: Browser, text: str) -> None:
    broadcast = put_live(cast)

    told = press(bobs_browser, broadcast, "say", text=text)

    assert told[0].startswith("error: Evening: ")
    assert not Utterance.objects.exists()


def test_interrupt_tells_when_the_runner_does_not_answer(cast: Cast, bobs_browser: Browser) -> None:
    broadcast = put_live(cast)

    told = press(bobs_browser, broadcast, "interrupt")

    assert "has not answered yet" in told[0]
    assert ControlCommand.objects.get().args == {"resume_after_seconds": 5.0}


def test_key_that_is_pasted_goes_in_and_never_out(cast: Cast, bobs_browser: Browser) -> None:
    output = make_output(cast.organization, cast.alice, stream_key="", key_per_broadcast=True)
    broadcast = put_live(cast, outputs=[output])
    row = broadcast.outputs.get()

    before = page_of(bobs_browser)
    form = {"id": str(row.pk), "stream_key": f" {CANARY_KEY} "}
    told = press(bobs_browser, broadcast, "output_replace_key", **form)

    row.refresh_from_db()
    assert "Waiting for today&#x27;s key" in before
    assert told == ["success: Evening: the key is in use from now on."]
    assert row.desired == "live"
    assert CANARY_KEY not in page_of(bobs_browser)
    assert CANARY_KEY not in str(ControlCommand.objects.get().args)


@pytest.mark.parametrize("key", ["", "two words", "钥匙"])
def test_bad_key_is_refused_and_not_repeated(cast: Cast, bobs_browser: Browser, key: str) -> None:
    broadcast = put_live(cast, outputs=[make_output(cast.organization, cast.alice)])
    form = {"id": str(broadcast.outputs.get().pk), "stream_key": key}

    told = press(bobs_browser, broadcast, "output_replace_key", **form)

    assert told[0].startswith("error: Evening: ")
    assert not key or key not in told[0]


def test_key_for_an_output_of_another_broadcast_is_refused(
    cast: Cast, bobs_browser: Browser
) -> None:
    broadcast = put_live(cast)
    form = {"id": str(uuid4()), "stream_key": CANARY_KEY}

    told = press(bobs_browser, broadcast, "output_replace_key", **form)

    assert told == ["error: Evening: There is no such output on this broadcast."]


@pytest.mark.parametrize("verb", ["record", "nothing", "output_add"])
def test_only_what_has_a_button_can_be_pressed(
    cast: Cast, bobs_browser: Browser, verb: str
) -> None:
    broadcast = put_live(cast)

    answer = bobs_browser.post(reverse("admin:live_button", args=[broadcast.pk, verb]))

    assert answer.status_code == 404


def test_buttons_take_posts_of_our_own_pages_only(cast: Cast) -> None:
    broadcast = put_live(cast)
    url = reverse("admin:live_button", args=[broadcast.pk, "stop"])
    strict = Browser(enforce_csrf_checks=True)
    strict.force_login(cast.bob)

    assert strict.post(url).status_code == 403
    assert not ControlCommand.objects.exists()


def test_button_that_was_not_pressed_does_nothing_and_says_so(
    cast: Cast, bobs_browser: Browser
) -> None:
    broadcast = put_live(cast)
    url = reverse("admin:live_button", args=[broadcast.pk, "stop"])

    answer = bobs_browser.get(url, follow=True)  # as after the sign-in of who was signed out

    assert answer.redirect_chain == [(LIVE, 302)]
    told = [str(message) for message in answer.context["messages"]]
    assert told == ["Nothing was done. Press the button again."]
    assert not ControlCommand.objects.exists()


@pytest.mark.parametrize(
    ("target", "expected"),
    [("/admin/streams/show/", "/admin/streams/show/"), ("https://evil.example/", LIVE), ("", LIVE)],
)
def test_button_goes_back_to_its_page_and_nowhere_else(
    cast: Cast, bobs_browser: Browser, target: str, expected: str
) -> None:
    broadcast = put_live(cast)
    url = reverse("admin:live_button", args=[broadcast.pk, "skip"])

    answer = bobs_browser.post(url, {"next": target})

    assert answer["Location"] == expected


def test_page_speaks_chinese(cast: Cast) -> None:
    put_live(cast)

    page = page_of(signed_in_as(cast.bob, "zh-hans"))

    for text in ("直播中", "打断", "跳过本条", "停播", "帧率", "画面晚于声音"):
        assert text in page


def test_language_is_switched_in_the_header(cast: Cast, bobs_browser: Browser) -> None:
    bobs_browser.post("/admin/language/", {"language": "zh-hans", "next": LIVE})

    assert "当前没有直播" in page_of(bobs_browser)
