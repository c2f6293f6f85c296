"""Moments in the time zone that the page shows, in forms and as text."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _


class LocalTimeField(forms.SplitDateTimeField):
    """A moment as date and time of the page's zone.

    kept: the moment that the row has. Shown and sent back it stays as it is, to the microsecond,
    also in the hour that comes twice when clocks go back.
    """

    kept: datetime | None = None

    def compress(self, data_list: Any) -> datetime | None:
        """Raises ValidationError for a time that the zone leaves out or has twice."""
        if self.kept is not None and data_list and all(part is not None for part in data_list):
            shown = timezone.localtime(self.kept).replace(tzinfo=None, microsecond=0)
            if datetime.combine(*data_list) == shown:
                return self.kept
        try:
            moment: datetime | None = super().compress(data_list)
        except forms.ValidationError as error:
            if error.code != "ambiguous_timezone":
                raise
            text = _("Clocks change then in %(zone)s: this time is left out or comes twice.")
            zone = timezone.get_current_timezone_name()
            raise forms.ValidationError(text % {"zone": zone}, code=error.code) from error
        return moment


def clock_text(at: datetime) -> str:
    """The time of day, to the second."""
    return f"{timezone.localtime(at):%H:%M:%S}"
