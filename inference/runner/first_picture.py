"""What is shown while a presenter's idle loop is not drawn yet and its worker starts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from inference.catalog import get_engine
from inference.child_environment import child_environment
from inference.engines.base import EngineError, FaceSetup, Picture
from inference.engines.face.musetalk.bundle import open_bundle
from inference.engines.face.musetalk.prepared import first_idle_picture

logger = logging.getLogger(__name__)

# On a busy machine; by then the presenter is there, or close to it.
ROOM_SECONDS: Final = 20.0


class RoomError(Exception):
    """The background could not be drawn; the text is what the child said."""


def first_picture(setup: FaceSetup, engine: str) -> Picture | None:
    """The first idle picture of the film or photo, (height * 3 // 2, width) uint8 I420.

    None for a presenter who was not built of one, or whose bundle is damaged: the worker, which
    opens it too, tells the host what is wrong with it.
    """
    folder = setup.settings.get("bundle")
    if not get_engine("face", engine).builder or not isinstance(folder, str):
        return None
    try:
        return first_idle_picture(open_bundle(Path(folder)), setup.width_px, setup.height_px)
    except (EngineError, OSError) as error:
        logger.warning("no first picture, a plain background instead", extra={"reason": str(error)})
        return None


class Stage(Protocol):
    """What shows pictures; `core.MediaCore` is one."""

    def set_still(self, picture: Picture) -> None: ...


async def show_room(stage: Stage, setup: FaceSetup, engine: str) -> None:
    """Where nobody can be shown yet, the studio waits for them, not a plain picture.

    It is drawn in a child: what a process took for drawing it would keep for the whole show.
    """
    if engine != "puppet":
        return  # the others bring a background of their own
    try:
        stage.set_still(await _draw_room(setup))
    except Exception:
        # The edge of a task: what is only nicer to look at must not end the show.
        logger.exception("no background, a plain one instead")


async def _draw_room(setup: FaceSetup) -> Picture:
    """The show's background, (height * 3 // 2, width) uint8 I420. Raises RoomError, OSError."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "inference.tool", "room"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=child_environment("PYTHONPATH"),
    )
    wanted = {
        "width_px": setup.width_px,
        "height_px": setup.height_px,
        "background": setup.background,
    }
    try:
        async with asyncio.timeout(ROOM_SECONDS):
            drawn, said = await child.communicate(json.dumps(wanted).encode())
    finally:
        # Too slow, or the show has ended meanwhile.
        with contextlib.suppress(ProcessLookupError):
            child.kill()
    shape = (setup.height_px * 3 // 2, setup.width_px)
    if child.returncode != 0 or len(drawn) != shape[0] * shape[1]:
        raise RoomError(said.decode(errors="replace")[-500:])
    return np.frombuffer(drawn, np.uint8).reshape(shape)
