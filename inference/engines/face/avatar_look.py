"""What is wrong with an upload, as far as it is known at once: the job behind `tool upload`.

Headers, a photo's pixels, the face points and the list of an archive are looked at; films are
decoded by the build. Whatever is refused here, the build would refuse too.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path

from inference.catalog import get_engine
from inference.engines.base import EngineError, Json
from inference.engines.face.archives import NO_AVATAR, is_archive, look_at_archive
from inference.engines.face.face_mesh.finding import find_landmarks
from inference.engines.face.face_mesh.networks import check_installed
from inference.engines.face.musetalk.building import Footage
from inference.engines.face.musetalk.bundle import MANIFEST
from inference.media.footage import FRAME_RATE, FootageUnreadableError, look_at_footage


@dataclass(frozen=True, slots=True)
class Upload:
    """landmarks: a JSON file as `musetalk.landmarks` reads it; None: they are found here."""

    engine: str
    settings: Json
    source: Path
    landmarks: Path | None
    options: Json


def look_at_upload(upload: Upload) -> None:
    """Raises EngineError with the reason in a host's words."""
    if is_archive(upload.source):
        # Wav2Lip's has no latents; the build tells it from what is no avatar at all.
        if not {"latents.pt", "coords.pkl", MANIFEST} & set(look_at_archive(upload.source)):
            raise EngineError("bad_avatar_folder", NO_AVATAR, retryable=False)
        return
    try:
        photo = look_at_footage(upload.source)
    except FootageUnreadableError as error:
        raise EngineError(error.code, str(error), retryable=False) from error
    # After the file: who uploads no film at all is told that, and not to add points to it.
    if upload.landmarks is None:
        check_installed()
    footage = None
    if photo is not None:
        found = upload.landmarks or find_landmarks(photo[None], FRAME_RATE)
        footage = Footage(photo[None], FRAME_RATE, found)
    builder = get_engine("face", upload.engine).builder.partition(":")[0]
    check = importlib.import_module(builder).check_upload
    check(footage, upload.landmarks, upload.settings, upload.options)
