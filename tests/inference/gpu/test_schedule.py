"""Who comes first, how large a pass is, and how many broadcasts fit."""

from __future__ import annotations

from typing import Any

import pytest

from inference.gpu import admission
from inference.gpu.schedule import Job, JobQueue, Timings
from inference.gpu.wire import Kind

SIZES = (1, 2, 4, 8, 16, 32)
# As a GPU: a pass costs something to begin with, and then by the face.
GPU = {size: 0.004 + 0.002 * size for size in SIZES}
FLAT = {Kind.PAINT: Timings(dict.fromkeys(SIZES, 0.01)), Kind.HEAR: Timings(dict(GPU))}
LARGEST = {Kind.PAINT: 8, Kind.HEAR: 4}


def queue_of(*dues: float, kind: Kind = Kind.PAINT, client: Any = None) -> JobQueue:
    queue = JobQueue()
    for due in dues:
        queue.add(Job(kind, due, client, due))
    return queue


def take(queue: JobQueue, now: float = 0.0) -> tuple[list[Any], list[Any]]:
    jobs, late = queue.take(now, FLAT, LARGEST)
    return [job.request for job in jobs], [job.request for job in late]


def test_pass_takes_what_is_due_first_whoever_asked_first() -> None:
    queue = queue_of(*range(20, 0, -1))

    assert take(queue)[0] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert take(queue)[0] == [9, 10, 11, 12, 13, 14, 15, 16]
    assert take(queue)[0] == [17, 18, 19, 20]
    assert take(queue) == ([], [])


def test_what_cannot_be_ready_is_told_late_and_never_painted() -> None:
    queue = queue_of(1.0, 2.0, 3.0, 4.0)

    assert take(queue, now=2.5) == ([3.0, 4.0], [1.0, 2.0])


def test_pass_is_of_the_kind_that_is_due_first() -> None:
    queue = queue_of(5.0, 6.0)
    queue.add(Job(Kind.HEAR, 4.0, None, "sound"))

    assert take(queue)[0] == ["sound"]
    assert take(queue)[0] == [5.0, 6.0]


def test_equal_deadlines_are_taken_in_the_order_they_came() -> None:
    queue = JobQueue()
    for number in range(6):
        queue.add(Job(Kind.PAINT, 1.0, None, number))

    assert take(queue)[0] == [0, 1, 2, 3, 4, 5]


def test_what_a_client_asked_for_can_be_forgotten() -> None:
    queue, gone = JobQueue(), object()
    mine = Job(Kind.PAINT, 1.0, None, "mine")
    for job in (Job(Kind.PAINT, 0.5, gone, "gone"), mine, Job(Kind.HEAR, 0.2, gone, "gone")):
        queue.add(job)

    queue.forget(gone)

    assert len(queue) == 1
    assert queue.withdraw(mine)
    assert not queue.withdraw(mine)
    assert len(queue) == 0


@pytest.mark.parametrize(
    ("waiting", "seconds", "taken"),
    [
        (32, GPU, 32),
        (90, GPU, 32),
        # Beginning costs little against 11 faces more: sixteen and then the rest.
        (17, {**GPU, 32: 0.068, 16: 0.034, 1: 0.006}, 16),
        # Three more faces cost less than another pass.
        (13, GPU, 13),
        (1, GPU, 1),
    ],
)  # fmt: skip
def test_pass_is_filled_up_only_where_that_costs_less(
    waiting: int, seconds: dict[int, float], taken: int
) -> None:
    assert Timings(seconds).best_size(waiting, 32) == taken


def test_few_late_passes_take_no_room() -> None:
    """A machine that stood still now and then has not become slower, and refuses nobody."""
    timings = Timings(dict(GPU))
    sounds = Timings(dict.fromkeys(SIZES, 0.004))
    before = admission.plan(timings, sounds, 1920)

    for took in (60.0, *[GPU[16]] * 3, 0.5, 9 * GPU[32]):
        timings.note(16, took)
        timings.note(32, took)

    assert timings.seconds == GPU
    assert admission.plan(timings, sounds, 1920) == before


def test_pass_that_has_become_slow_counts_as_slow_until_it_was_left_alone() -> None:
    timings = Timings(dict(GPU))

    for _ in range(8):
        timings.note(16, 10 * GPU[16])
    slow = timings.seconds[16]
    for _ in range(32):
        timings.relax()

    assert slow == 10 * GPU[16]
    assert timings.seconds[16] == GPU[16]


def test_room_is_what_the_measured_time_leaves() -> None:
    """Twice a pass must fit into a face's patience: 80 ms at 50 pictures a second, so 36 ms do."""
    plan = admission.plan(Timings(dict(GPU)), Timings(dict.fromkeys(SIZES, 0.004)), 960)

    assert admission.patience_seconds(960) == pytest.approx(0.08)
    assert (plan.paint, plan.hear) == (16, 32)
    assert plan.load == pytest.approx(50 * 0.036 / 16 + 50 / 4 * 0.004 / 32)
    assert plan.fits == 7


def test_slower_pictures_leave_time_for_larger_passes() -> None:
    plan = admission.plan(Timings(dict(GPU)), Timings(dict(GPU)), 4800)

    assert plan.paint == 32


def test_refusal_says_how_many_fit_and_what_can_be_done() -> None:
    plan = admission.Plan(16, 32, 0.06)

    assert admission.refusal("NVIDIA H100", plan, 1920, 13, 0.07) is None
    text = admission.refusal("NVIDIA H100", plan, 1920, 14, 0.01)
    assert text is not None
    assert "carries 14 broadcasts of 25 pictures a second, and 14 are on air" in text
    assert "End one" in text


def test_device_that_is_too_slow_says_what_it_manages() -> None:
    text = admission.refusal("the processor", admission.Plan(1, 1, 1.7), 1920, 0, 0.85)

    assert text is not None
    assert "too slow" in text
    assert "about 12" in text
