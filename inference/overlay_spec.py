"""What is drawn over the picture, as the web side tells a runner; part of `protocol`'s words.

Pictures are paths of files that the web side has written anew, empty where there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Corner = Literal["top_left", "top_right", "bottom_left", "bottom_right"]


@dataclass(frozen=True, slots=True)
class CardSpec:
    """A product, shown while its cue is heard. url: becomes a QR code."""

    title: str
    text: str = ""
    price: str = ""
    url: str = ""
    picture: str = ""


@dataclass(frozen=True, slots=True)
class LogoSpec:
    """A picture in a corner, for the whole broadcast."""

    picture: str
    position: Corner = "top_right"


@dataclass(frozen=True, slots=True)
class LowerThirdSpec:
    """Who speaks: two lines at the lower left."""

    name: str
    role: str = ""


@dataclass(frozen=True, slots=True)
class ClockSpec:
    """The time of day in an IANA zone."""

    format: Literal["minute", "second"]
    timezone: str
    position: Corner = "top_right"


@dataclass(frozen=True, slots=True)
class OverlaySpec:
    """What is drawn over the picture. label_text empty = no label; positions are corners."""

    captions: bool = True
    title: str = ""
    label_text: str = "AI 生成 · AI-generated"
    label_position: Corner = "top_left"
    logo: LogoSpec | None = None
    lower_third: LowerThirdSpec | None = None
    clock: ClockSpec | None = None
