"""The AI label in the picture: what each preset says, where it may stand, and by which rule.

Every label is drawn with its characters 5 % of the shorter side high, above everything else, from
the first picture to the last. docs/labels.md tells hosts what each is for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext as _

from streams.models import Show
from streams.models.show import Corner, LabelPreset

_EVERYWHERE: Final = tuple(Corner)
# Players, comments and products of the platforms cover the lower part of a picture.
_UPPER: Final = (Corner.TOP_LEFT, Corner.TOP_RIGHT)


@dataclass(frozen=True, slots=True)
class Label:
    """One preset. words: by the language of the show. source: the rule it follows, empty = none."""

    words: Mapping[str, str]
    corners: tuple[Corner, ...] = _EVERYWHERE
    source: str = ""


LABELS: Final[Mapping[str, Label]] = {
    LabelPreset.BILINGUAL: Label(
        {"zh-CN": "AI 生成 · AI-generated", "en-US": "AI-generated · AI 生成"}
    ),
    # Its text names AI and that it is generated: GB 45438-2025 asks for both, in Chinese.
    LabelPreset.CHINA: Label(
        {"zh-CN": "AI生成", "en-US": "AI生成 · AI-generated"},
        _UPPER,
        "GB 45438-2025",
    ),
    LabelPreset.EU: Label(
        {"zh-CN": "AI-generated · AI 生成", "en-US": "AI-generated"},
        _UPPER,
        "Regulation (EU) 2024/1689, article 50",
    ),
    LabelPreset.GENERATED: Label({"zh-CN": "内容由 AI 生成", "en-US": "AI-generated"}),
    LabelPreset.PRESENTER: Label({"zh-CN": "AI 数字人主播", "en-US": "AI presenter"}),
    LabelPreset.NONE: Label({"zh-CN": "", "en-US": ""}),
}


def label_text(show: Show) -> str:
    """What its label says; empty without one."""
    return LABELS[show.label_preset].words[show.language]


def misplaced(show: Show) -> str:
    """Why its label may not stand where it was put, in words for a host; empty if it may."""
    label = LABELS[show.label_preset]
    if show.label_position in label.corners:
        return ""
    allowed = " / ".join(str(corner.label) for corner in label.corners)
    values = {"preset": show.get_label_preset_display(), "corners": allowed}
    return (
        _("The label “%(preset)s” stands where no player covers it. Choose from: %(corners)s.")
        % values
    )
