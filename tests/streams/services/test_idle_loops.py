"""Idle loops are drawn once per look, one at a time, before somebody goes on air."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from streams.services.idle_loops import IdleLoopBuilder, _looks, build_arguments
from tests.factories import Cast
from tests.streams.pictures import make_picture
from tests.streams.plans import make_show

pytestmark = pytest.mark.django_db


class Builder(IdleLoopBuilder):
    """Waits for its child, so that a test can count."""

    def look_and_wait(self) -> bool:
        self.look()
        if self._child is None:
            return False
        assert self._child.wait(timeout=120) == 0
        return True


def test_each_look_is_drawn_once(cast: Cast, tmp_path: Path, settings: LazySettings) -> None:
    settings.CACHE_DIR = tmp_path
    make_show(cast.organization, cast.alice, title="One", profile="mobile")
    make_show(cast.organization, cast.alice, title="Two", profile="mobile")
    builder = Builder()

    looks = [builder.look_and_wait() for _ in range(2)]

    assert looks == [True, False]
    assert len(list(tmp_path.glob("idle-puppet-*.i420"))) == 1


def test_many_shows_of_one_look_are_looked_at_once(cast: Cast) -> None:
    ground = make_picture(cast.organization, "background")
    make_show(cast.organization, cast.alice, background=str(ground.pk))
    with CaptureQueriesContext(connection) as one:
        looks = list(_looks())
    for _ in range(9):
        make_show(cast.organization, cast.alice, background=str(ground.pk))

    with CaptureQueriesContext(connection) as ten:
        assert list(_looks()) == looks

    assert len(looks) == 1
    assert str(ground.file.path) in looks[0]
    assert len(ten) == len(one)


@pytest.mark.parametrize("is_deleted", [True, False])
def test_damaged_loop_is_drawn_again_at_the_next_look(
    cast: Cast, tmp_path: Path, settings: LazySettings, is_deleted: bool
) -> None:
    settings.CACHE_DIR = tmp_path
    make_show(cast.organization, cast.alice, profile="mobile")
    builder = Builder()
    assert [builder.look_and_wait() for _ in range(2)] == [True, False]
    (loop,) = tmp_path.glob("idle-puppet-*.i420")
    size = loop.stat().st_size

    if is_deleted:
        loop.unlink()
    else:
        os.truncate(loop, size // 2)

    assert [builder.look_and_wait() for _ in range(2)] == [True, False]
    assert loop.stat().st_size == size


def test_between_the_rounds_only_a_hurry_draws(
    cast: Cast, tmp_path: Path, settings: LazySettings
) -> None:
    settings.CACHE_DIR = tmp_path
    make_show(cast.organization, cast.alice, profile="mobile")
    builder = Builder()

    builder.go_on()
    assert builder._child is None
    builder.hurry()
    builder.go_on()
    assert builder._child is not None
    assert builder._child.wait(timeout=120) == 0
    builder.go_on()

    assert builder._child is None
    make_show(cast.organization, cast.alice, profile="hd")
    builder.go_on()
    assert builder._child is None, "all is drawn: the hurry is over"


def test_arguments_say_the_frame_duration_in_samples() -> None:
    arguments = build_arguments(
        engine="puppet", avatar_settings={"character": "lin"}, profile="course", background="plain"
    )

    assert arguments[arguments.index("--frame-samples") + 1] == "1600"
    assert arguments[arguments.index("--width") + 1] == "1280"
