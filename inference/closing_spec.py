"""How a broadcast that must end says so, and what its operators are told; `protocol`'s words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Closing:
    """The last thing before the end. utterance: its id. A card stands for `seconds` in silence."""

    utterance: str
    text: str
    kind: Literal["spoken", "card"] = "spoken"
    seconds: float = 6.0


@dataclass(frozen=True, slots=True)
class TellQuota:
    """Write the event `quota.warning` or `quota.reached`: consoles and the log show it.

    used, limit: in shown units. resets_at: RFC 3339 UTC.
    """

    level: Literal["warning", "reached"]
    meter: str
    used: float
    limit: float
    resets_at: str | None = None
