"""What is measured and can be limited: one table. Everything else names a meter of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as Translated

WARN_SHARE: Final = 0.8


@dataclass(frozen=True, slots=True)
class Meter:
    """One thing that is measured.

    kind: `now` = how many there are at this moment, `day` = how much was used since the start of
    the organization's day. unit_size: stored units in one shown unit (minutes are kept in
    seconds). words: in sentences of refusals; the table of reasons has the Chinese.
    warns: says when most of it is used up. is_limited: plans can limit it.
    """

    name: str
    kind: Literal["now", "day"]
    label: Translated
    words: str
    unit_size: int = 1
    warns: bool = True
    is_limited: bool = True

    def shown(self, stored: int) -> float:
        """A stored amount as it is shown: whole, but minutes to a tenth."""
        return stored if self.unit_size == 1 else round(stored / self.unit_size, 1)


METERS: Final[dict[str, Meter]] = {
    meter.name: meter
    for meter in (
        # On air at the same moment. Starting one more is all there is to say about it.
        Meter(
            "concurrent_broadcasts",
            "now",
            _("Broadcasts at the same time"),
            "broadcasts at the same time",
            warns=False,
        ),
        # From the first picture to the end, a recovery in between included.
        Meter(
            "broadcast_minutes",
            "day",
            _("Broadcast minutes a day"),
            "broadcast minutes a day",
            unit_size=60,
        ),
        # Rows of the organization, the built-in ones included while they are kept.
        Meter("avatars", "now", _("Presenters"), "presenters"),
        Meter("voices", "now", _("Voices"), "voices"),
        # Recordings, uploaded pictures, pictures and versions of presenters: bytes on the disk.
        Meter("storage_bytes", "now", _("Storage (bytes)"), "bytes of storage"),
        # Sent to a voice server, each time a sentence is made anew; previews too.
        Meter(
            "tts_characters",
            "day",
            _("Characters by voice servers a day"),
            "characters by voice servers a day",
        ),
        # As the server of a voice says, behind each sentence that it makes; previews too.
        Meter("llm_tokens", "day", _("Language model tokens a day"), "language model tokens a day"),
        # Made on this machine by the built-in voices: costs nothing, so nothing limits it.
        Meter(
            "builtin_tts_characters",
            "day",
            _("Characters by built-in voices a day"),
            "characters by built-in voices a day",
            warns=False,
            is_limited=False,
        ),
    )
}
LIMITED: Final = tuple(name for name, meter in METERS.items() if meter.is_limited)


def get_meter(name: str) -> Meter:
    """Raises LookupError naming the ones that exist."""
    if name not in METERS:
        raise LookupError(f"no meter {name!r}; there are: {', '.join(METERS)}")
    return METERS[name]
