"""What the stages of a build are called."""

from __future__ import annotations

from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from avatars.models import AvatarBuild

_STAGES: Final[dict[str, Any]] = {
    "frames": _("reading pictures"),
    "unpacking": _("unpacking"),
    "landmarks": _("finding the face"),
    "checks": _("checking"),
    "lips": _("measuring the lips"),
    "masks": _("cutting out the mouth"),
    "networks": _("loading networks"),
    "latents": _("preparing the mouth"),
    "preview": _("recording the preview"),
    "done": _("finished"),
    **dict(AvatarBuild.State.choices),
}


def stage_text(stage: str) -> str:
    """In the reader's language; one that is new stands for itself."""
    return str(_STAGES.get(stage, stage))
