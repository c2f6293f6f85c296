"""A presenter who was built a moment ago is seen from the first picture, before a loop is drawn."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.engines.base import FaceSetup
from inference.engines.face.musetalk.bundle import open_bundle
from inference.engines.face.musetalk.prepared import open_prepared
from inference.media.picture import plain_background
from inference.media.ring import Picture
from inference.runner.compose import WrongSizeError
from inference.runner.first_picture import first_picture, show_room
from tests.inference.face.musetalk.films import HEIGHT, WIDTH, write_bundle

ENGINE = "musetalk_tiny"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle")


def setup_of(folder: Path, settings: dict[str, Any], size: tuple[int, int]) -> FaceSetup:
    return FaceSetup(*size, 1920, "full", "studio", settings, str(folder))


@pytest.mark.parametrize("size", [(WIDTH, HEIGHT), (128, 72), (90, 160)])
def test_first_picture_is_that_of_the_film_at_the_size_of_the_show(
    tmp_path: Path, bundle: Path, size: tuple[int, int]
) -> None:
    picture = first_picture(setup_of(tmp_path, {"bundle": str(bundle)}, size), ENGINE)

    # What the worker shows once it has scaled the whole film; the last picture is another one.
    film = open_prepared(open_bundle(bundle), *size, tmp_path / "cache")
    assert picture is not None
    np.testing.assert_array_equal(picture, film.frames[0])
    assert (picture != film.frames[-1]).any()


def test_drawn_presenter_and_one_that_was_never_built_have_none(
    tmp_path: Path, bundle: Path
) -> None:
    of_bundle = setup_of(tmp_path, {"bundle": str(bundle)}, (128, 72))

    assert first_picture(of_bundle, "puppet") is None
    assert first_picture(setup_of(tmp_path, {}, (128, 72)), ENGINE) is None


def test_damaged_bundle_leaves_the_plain_background(tmp_path: Path, bundle: Path) -> None:
    (bundle / "frames.i420").write_bytes(b"half")

    assert first_picture(setup_of(tmp_path, {"bundle": str(bundle)}, (128, 72)), ENGINE) is None


class Stage:
    """Keeps what it is to show."""

    def __init__(self) -> None:
        self.stills: list[Picture] = []

    def set_still(self, picture: Picture) -> None:
        self.stills.append(picture)


async def test_studio_waits_for_a_drawn_presenter(tmp_path: Path) -> None:
    stage = Stage()

    await show_room(stage, setup_of(tmp_path, {}, (90, 160)), "puppet")

    (room,) = stage.stills
    assert room.shape == (240, 90)
    assert np.abs(room.astype(int) - plain_background(90, 160)).mean() > 30


async def test_background_that_cannot_be_shown_costs_no_show(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Refusing(Stage):
        def set_still(self, picture: Picture) -> None:
            raise WrongSizeError("another size")

    await show_room(Refusing(), setup_of(tmp_path, {}, (90, 160)), "puppet")

    assert "no background" in caplog.text


async def test_a_background_of_their_own_is_not_covered(tmp_path: Path) -> None:
    stage = Stage()

    await show_room(stage, setup_of(tmp_path, {}, (90, 160)), "testcard")
    await show_room(stage, replace(setup_of(tmp_path, {}, (90, 160)), background="moon"), "puppet")

    assert stage.stills == []


def test_the_core_keeps_nothing_of_what_drew_the_studio(tmp_path: Path) -> None:
    """The libraries and sheets of the drawing stay in the child."""
    code = (
        "import asyncio, sys\n"
        "from inference.engines.base import FaceSetup\n"
        "import inference.runner.session\n"
        "from inference.runner.first_picture import show_room\n"
        "class Stage:\n"
        "    def set_still(self, picture): print(picture.shape)\n"
        f"setup = FaceSetup(90, 160, 1920, 'full', 'studio', {{}}, {str(tmp_path)!r})\n"
        "asyncio.run(show_room(Stage(), setup, 'puppet'))\n"
        "print([name for name in sys.modules if name in ('resvg_py', 'inference.tool')])"
    )

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)

    assert printed.stdout.split(b"\n")[:2] == [b"(240, 90)", b"[]"]


async def test_a_show_that_ends_meanwhile_leaves_no_child(tmp_path: Path) -> None:
    before = children()
    drawing = asyncio.create_task(show_room(Stage(), setup_of(tmp_path, {}, (90, 160)), "puppet"))
    assert await comes_true(lambda: bool(children() - before))

    drawing.cancel()
    await asyncio.wait({drawing})

    assert await comes_true(lambda: children() <= before)


async def comes_true(check: Callable[[], bool]) -> bool:
    """Within 5 s."""
    for _ in range(500):
        if check():
            return True
        await asyncio.sleep(0.01)
    return False


def children() -> set[int]:
    listed = (path.read_text() for path in Path("/proc/self/task").glob("*/children"))
    return {int(pid) for line in listed for pid in line.split()}
