"""A file to choose in the words of the page: the browser's own button speaks its own language."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _


class FilePicker(forms.FileInput):
    """The page's script puts a button over it; without the script it is the browser's own."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        words = {"data-choose": _("Choose a file"), "data-none": _("No file chosen")}
        super().__init__({**words, **(attrs or {})})
