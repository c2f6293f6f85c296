"""The demo show is ready to air, made once, and its summary is what the contract names."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from livestudio.demo import (
    OnAirFigures,
    describe,
    ensure_demo_show,
    idle_loop_arguments,
    start_demo,
    summarise,
    write_demo_file,
)
from livestudio.first_run import Administrator, ensure_administrator
from streams.models import Broadcast, BroadcastEvent, Recording

SUMMARY = {
    "seconds_on_air", "frames", "held", "dropped", "av_skew_ms_p95", "first_frame_ms", "recording",
}  # fmt: skip
DEMO = {
    "base_url", "username", "password", "organization", "show", "broadcast", "watch_url",
    "studio_url", "admin_url",
}  # fmt: skip


@pytest.fixture
def administrator(db: None, settings: Any, tmp_path: Path) -> Administrator:
    settings.DATA_DIR = tmp_path
    return ensure_administrator()


def test_demo_show_speaks_both_languages_and_is_made_once(administrator: Administrator) -> None:
    show = ensure_demo_show(administrator.organization)
    again = ensure_demo_show(administrator.organization)

    text = " ".join(cue.text for cue in show.cues.all())
    assert again.pk == show.pk
    assert (show.rundown_mode, show.ends, show.record, show.is_public) == (
        "loop", "manual", True, True,
    )  # fmt: skip
    assert "大家好" in text
    assert "Hello" in text
    assert show.voice.settings["gender"] == "female"


def test_airing_that_outlived_a_crash_goes_on(administrator: Administrator) -> None:
    show = ensure_demo_show(administrator.organization)

    assert start_demo(show).pk == start_demo(show).pk
    assert Broadcast.objects.count() == 1


def test_demo_file_has_the_names_of_the_contract(
    administrator: Administrator, tmp_path: Path
) -> None:
    broadcast = start_demo(ensure_demo_show(administrator.organization))

    path = write_demo_file(describe(administrator, broadcast, "http://127.0.0.1:8000"))

    demo = json.loads(path.read_text())
    assert set(demo) == DEMO
    assert demo["password"] == administrator.password
    assert path.stat().st_mode & 0o777 == 0o600


def test_summary_takes_the_runners_last_numbers(administrator: Administrator) -> None:
    broadcast = start_demo(ensure_demo_show(administrator.organization))
    started = broadcast.started_at
    assert started is not None
    broadcast.first_frame_at = started + timedelta(milliseconds=800)
    broadcast.ended_at = started + timedelta(seconds=20.8)
    figures = OnAirFigures()
    for skew in (1.0, -3.0, 2.0, 2.0):
        figures.note({"frames": 100, "held": 1, "skew_ms": skew})
    figures.note({})
    goodbye = {"state": "ended", "reason": "", "summary": {"frames": 500, "dropped": 2}}
    BroadcastEvent.objects.create(
        broadcast=broadcast, sequence=9, kind="broadcast.state", at=timezone.now(), data=goodbye
    )
    Recording.objects.create(broadcast=broadcast, runner_key="r", path="a/b.mp4")

    summary = summarise(broadcast, figures)

    assert set(summary) == SUMMARY
    assert (summary["frames"], summary["held"], summary["dropped"]) == (500, 1, 2)
    assert (summary["seconds_on_air"], summary["first_frame_ms"]) == (20.0, 800)
    assert len(figures.skews_ms) == 3  # the same look twice counts once
    assert summary["av_skew_ms_p95"] == 2.0
    assert summary["recording"].endswith("/recordings/a/b.mp4")


def test_summary_of_a_demo_that_never_aired_is_still_one(administrator: Administrator) -> None:
    broadcast = start_demo(ensure_demo_show(administrator.organization))

    summary = summarise(broadcast, OnAirFigures())

    assert (summary["seconds_on_air"], summary["first_frame_ms"]) == (0.0, None)
    assert (summary["av_skew_ms_p95"], summary["recording"]) == (None, None)


def test_idle_loop_is_built_for_the_demo_s_own_presenter(settings: Any) -> None:
    arguments = idle_loop_arguments({"character": "lin"})

    pairs = dict(zip(arguments[2::2], arguments[3::2], strict=True))
    assert arguments[:2] == ("-m", "inference.engines.face.build")
    assert (pairs["--width"], pairs["--height"], pairs["--frame-samples"]) == ("960", "540", "1920")
    assert json.loads(pairs["--settings"]) == {"character": "lin"}
    assert pairs["--cache"] == str(settings.CACHE_DIR)
