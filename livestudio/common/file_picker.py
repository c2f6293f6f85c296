"""A file to choose in the words of the page: the browser's own button speaks its own language."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _


class FilePicker(forms.FileInput):
    """The page's script puts a button over it; without the script it is the browser's own."""

    def __init__(self, attrs: dict[str, Any] | None = None, *, most_bytes: int) -> None:
        """most_bytes: the script refuses a larger file, with which the whole form would be lost."""
        super().__init__(attrs)
        self._most_bytes = most_bytes

    def build_attrs(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The words in the language of who reads."""
        words = {
            "data-choose": _("Choose a file"),
            "data-none": _("No file chosen"),
            "data-most": self._most_bytes,
            "data-too-large": _("The file is larger than %(limit)s MB.")
            % {"limit": self._most_bytes >> 20},
        }
        return {**words, **super().build_attrs(*args, **kwargs)}
