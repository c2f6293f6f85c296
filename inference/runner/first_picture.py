"""What is shown of a built presenter while its idle loop is not drawn and its worker starts."""

from __future__ import annotations

import logging
from pathlib import Path

from inference.catalog import get_engine
from inference.engines.base import EngineError, FaceSetup, Picture
from inference.engines.face.musetalk.bundle import open_bundle
from inference.engines.face.musetalk.prepared import first_idle_picture

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
