"""The show that costs are measured on: the drawn presenter and the built-in voice."""

from __future__ import annotations

import secrets

from benchmarks.platform import Platform
from benchmarks.talk import cues


def presenter_show(
    platform: Platform,
    *,
    push_url: str = "",
    language: str = "en-US",
    is_recorded: bool = True,
    profile: str = "hd",
) -> str:
    """A looping show with captions and AI label; recorded, and pushed when there is a server."""
    outputs = []
    if push_url:
        outputs = [platform.make_output(push_url, f"cost{secrets.token_hex(4)}")]
    return platform.make_show(
        avatar=platform.make_avatar("puppet"),
        voice=platform.make_voice("espeak", language),
        language=language,
        cues=cues(language),
        profile=profile,
        rundown_mode="loop",
        record=is_recorded,
        outputs=outputs,
    )
