"""Marks on a photo that a host sets by hand, where nothing finds the face by itself."""

from __future__ import annotations

import json
import math
from typing import Any, ClassVar, Final

from django import forms
from django.core.files.base import ContentFile
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

# As the builder takes them (`musetalk.marks`): name, label, and where the mark is at first, in
# shares of the photo's width and height. Left and right are the picture's.
MARKS: Final = (
    ("left_eye_outer", _("left eye, outer corner"), (0.38, 0.40)),
    ("left_eye_inner", _("left eye, inner corner"), (0.46, 0.405)),
    ("left_lid_upper", _("left eye, upper lid"), (0.42, 0.385)),
    ("left_lid_lower", _("left eye, lower lid"), (0.42, 0.415)),
    ("right_eye_inner", _("right eye, inner corner"), (0.54, 0.405)),
    ("right_eye_outer", _("right eye, outer corner"), (0.62, 0.40)),
    ("right_lid_upper", _("right eye, upper lid"), (0.58, 0.385)),
    ("right_lid_lower", _("right eye, lower lid"), (0.58, 0.415)),
    ("nose_tip", _("tip of the nose"), (0.50, 0.48)),
    ("mouth_left", _("left corner of the mouth"), (0.44, 0.56)),
    ("mouth_right", _("right corner of the mouth"), (0.56, 0.56)),
    ("lip_top", _("upper edge of the upper lip"), (0.50, 0.54)),
    ("lips_meet", _("where the lips meet"), (0.50, 0.56)),
    ("lip_bottom", _("lower edge of the lower lip"), (0.50, 0.585)),
    ("chin", _("chin"), (0.50, 0.66)),
    ("jaw_left", _("left jaw, beside the mouth"), (0.37, 0.55)),
    ("jaw_right", _("right jaw, beside the mouth"), (0.63, 0.55)),
)
_LONGEST: Final = 10_000
_SIDE_PX: Final = (16, 16_384)


class MarksInput(forms.HiddenInput):
    """A hidden field, and an empty box in which the script shows the chosen photo with its marks.

    Without the script the box stays empty, and face points are posted as a file.
    """

    # Shown as a row of the form; what is hidden is only the value.
    input_type = "hidden"

    class Media:
        js: ClassVar[list[str]] = ["avatars/marks.js"]
        css: ClassVar[dict[str, list[str]]] = {"all": ["avatars/marks.css"]}

    @property
    def is_hidden(self) -> bool:
        return False

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> Any:
        field = super().render(name, value, attrs, renderer)
        marks = [{"name": key, "label": str(label), "at": at} for key, label, at in MARKS]
        return format_html(
            '{}<div class="face-marks" data-marks="{}" data-photo="id_film" hidden></div>',
            field, json.dumps(marks, ensure_ascii=False),
        )  # fmt: skip


class MarksField(forms.CharField):
    """Face points in the form that the builder reads, as a file; None when no mark was set."""

    widget = MarksInput

    def clean(self, value: Any) -> ContentFile[bytes] | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            marks: Any = json.loads(text[:_LONGEST])
            points = [(float(x), float(y)) for x, y in marks["points"]]
            sides = [int(marks[name]) for name in ("width_px", "height_px")]
        except (KeyError, TypeError, ValueError) as error:
            raise forms.ValidationError(_("The marks cannot be read; set them again.")) from error
        low, high = _SIDE_PX
        is_whole = all(math.isfinite(value) for point in points for value in point)
        if len(points) != len(MARKS) or not is_whole or not all(low <= s <= high for s in sides):
            raise forms.ValidationError(_("The marks cannot be read; set them again."))
        look = {"at_seconds": 0.0, "faces": [points]}
        document = {"width_px": sides[0], "height_px": sides[1], "frames": [look]}
        return ContentFile(json.dumps(document).encode(), "marks.json")
