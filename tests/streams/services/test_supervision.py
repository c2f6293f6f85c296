"""What follows from a death, from silence, and from not ending when told to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from inference.models import Runner
from inference.services import run_folder
from streams.models import Broadcast, BroadcastEvent
from streams.services.launching import launch_due
from streams.services.lifecycle import finish_broadcast, start_broadcast, stop_broadcast
from streams.services.supervision import insist, judge_leases, note_deaths
from tests.factories import Cast
from tests.streams.launcher import PaperLauncher
from tests.streams.plans import make_show

AT = "2026-11-20T12:00:00.000Z"


@pytest.fixture
def launcher() -> PaperLauncher:
    return PaperLauncher()


@pytest.fixture
def live(cast: Cast, launcher: PaperLauncher) -> Broadcast:
    """On air by the launcher's first runner."""
    broadcast = start_broadcast(show=make_show(cast.organization, cast.alice), actor=cast.alice)
    launch_due(launcher)
    Broadcast.objects.update(state="live", first_frame_at=timezone.now())
    broadcast.refresh_from_db()
    return broadcast


def write_outbox(broadcast: Broadcast, lines: list[Any], torn: str = "") -> None:
    folder = run_folder(broadcast.pk)
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(line) + "\n" for line in lines) + torn
    (folder / "outbox.jsonl").write_text(text)


def event(sequence: int, kind: str, **data: Any) -> dict[str, Any]:
    return {"sequence": sequence, "kind": kind, "at": AT, "data": data}


def later(seconds: float) -> Any:
    return timezone.now() + timedelta(seconds=seconds)


@pytest.fixture(autouse=True)
def _no_outbox_is_left(db: None) -> Iterator[None]:
    yield
    for broadcast in Broadcast.objects.all():
        (run_folder(broadcast.pk) / "outbox.jsonl").unlink(missing_ok=True)


def test_last_words_of_a_dead_runner_are_heard(live: Broadcast, launcher: PaperLauncher) -> None:
    Broadcast.objects.update(acknowledged_sequence=4)
    cursor = {"cue": "a", "sentence": 3, "loop": 1}
    lines = [{"acknowledged": 2}, event(4, "cursor", **{**cursor, "sentence": 2}),
             event(5, "cursor", **cursor)]  # fmt: skip
    write_outbox(live, lines, torn='{"sequence": 6, "ki')
    launcher.kill_last()

    note_deaths(launcher)

    live.refresh_from_db()
    assert live.cursor == cursor
    assert live.acknowledged_sequence == 5
    assert [row.sequence for row in BroadcastEvent.objects.all()] == [5]


def test_files_of_a_dead_runner_do_not_look_as_if_they_were_still_written(
    live: Broadcast, launcher: PaperLauncher
) -> None:
    common = {"path": "a.mp4", "reason": ""}
    write_outbox(live, [
        event(1, "recording", id="whole", state="recording", **common),
        event(2, "recording", id="whole", state="finished", **common),
        event(3, "recording", id="cut", state="recording", **common),
    ])  # fmt: skip
    launcher.kill_last()

    note_deaths(launcher)

    whole, cut = live.recordings.order_by("runner_key").reverse()
    assert (whole.state, whole.reason) == ("finished", "")
    assert (cut.state, bool(cut.reason)) == ("finished", True)
    assert cut.ended_at is not None


def test_runner_that_ended_while_web_was_down_is_not_launched_again(
    live: Broadcast, launcher: PaperLauncher
) -> None:
    write_outbox(live, [event(1, "broadcast.state", state="ended", reason="rundown done")])
    launcher.kill_last("exit status 0")

    note_deaths(launcher)

    live.refresh_from_db()
    assert (live.state, live.reason) == ("ended", "rundown done")
    assert launch_due(launcher) == 0


def test_death_of_a_stopping_runner_is_the_end(
    live: Broadcast, launcher: PaperLauncher, cast: Cast
) -> None:
    stop_broadcast(broadcast=live, actor=cast.alice)
    launcher.kill_last()

    note_deaths(launcher)

    live.refresh_from_db()
    assert live.state == "ended"
    assert launch_due(launcher) == 0


def test_silence_means_recovering_and_nothing_more(
    live: Broadcast, launcher: PaperLauncher
) -> None:
    Broadcast.objects.update(lease_expires_at=later(-1))

    assert judge_leases(timezone.now()) == 1
    assert judge_leases(timezone.now()) == 0

    live.refresh_from_db()
    assert live.state == "recovering"
    assert launch_due(launcher) == 0  # it may still be on air
    assert launcher.stopped == []


def test_runner_that_hangs_is_killed_only_when_silence_can_be_judged(
    live: Broadcast, launcher: PaperLauncher
) -> None:
    Broadcast.objects.update(lease_expires_at=later(-90))

    insist(launcher, timezone.now(), may_judge=False)
    assert launcher.stopped == []
    insist(launcher, timezone.now(), may_judge=True)
    assert launcher.stopped == [(1, True)]


@pytest.mark.parametrize(("when", "seconds"), [("now", 15), ("sentence_end", 90)])
def test_runner_that_does_not_stop_is_told_then_killed(
    live: Broadcast, launcher: PaperLauncher, cast: Cast, when: Any, seconds: int
) -> None:
    stop_broadcast(broadcast=live, actor=cast.alice, when=when)

    insist(launcher, later(seconds - 2), may_judge=False)
    assert launcher.stopped == []
    insist(launcher, later(seconds + 1), may_judge=False)
    assert launcher.stopped == [(1, False)]
    insist(launcher, later(5), may_judge=False)
    assert launcher.stopped == [(1, False)]
    insist(launcher, later(11), may_judge=False)
    assert launcher.stopped == [(1, False), (1, True)]


def test_runner_of_a_broadcast_that_is_over_is_told_to_end(
    live: Broadcast, launcher: PaperLauncher
) -> None:
    finish_broadcast(broadcast=live, state="failed", reason="x")

    insist(launcher, later(1), may_judge=False)
    assert launcher.stopped == []
    insist(launcher, later(20), may_judge=False)
    assert launcher.stopped == [(1, False)]


def test_runner_of_an_older_epoch_or_deleted_broadcast_is_told_to_end(
    live: Broadcast, launcher: PaperLauncher
) -> None:
    Broadcast.objects.update(lease_epoch=2)
    insist(launcher, timezone.now(), may_judge=False)
    assert launcher.stopped == [(1, False)]

    Runner.objects.update(stop_asked_at=None)
    Broadcast.objects.all().delete()
    insist(launcher, timezone.now(), may_judge=False)
    assert launcher.stopped == [(1, False)] * 2
