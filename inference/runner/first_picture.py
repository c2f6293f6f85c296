"""What is shown while a presenter's idle loop is not drawn yet and its worker starts."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Protocol

from inference.catalog import get_engine
from inference.engines.base import EngineError, FaceSetup, Picture
from inference.engines.face.musetalk.bundle import open_bundle
from inference.engines.face.musetalk.prepared import first_idle_picture
from inference.engines.face.puppet.bake import draw_ground

logger = logging.getLogger(__name__)


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
    """Where nobody can be shown yet, the studio waits for them, not a plain picture."""
    try:
        room = await asyncio.to_thread(empty_room, setup, engine)
        if room is not None:
            stage.set_still(room)
    except Exception:
        # The edge of a task: what is only nicer to look at must not end the show.
        logger.exception("no background, a plain one instead")


def empty_room(setup: FaceSetup, engine: str) -> Picture | None:
    """The show's background without its presenter, (height * 3 // 2, width) uint8 I420.

    Takes a second of a core. None where a presenter brings a background of their own.
    """
    if engine != "puppet":
        return None
    try:
        return draw_ground(setup)
    except (EngineError, OSError, ValueError) as error:
        logger.warning("no background, a plain one instead", extra={"reason": str(error)})
        return None
