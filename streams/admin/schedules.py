"""The schedule of a show as a form: clock time, zone, rule, and the dates that are left out."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin
from django.forms.utils import flatatt
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from livestudio.common.admin import OrganizationScopedInline, refusal_text
from livestudio.common.errors import DomainError, InvalidInputError
from livestudio.common.reasons import translate_reason
from streams.models import Schedule
from streams.services.recurrence import zone_names
from streams.services.schedule import check_schedule, list_starts

NEXT_SHOWN: Final = 3
NEXT_WITHIN: Final = timedelta(days=366)


class LinesField(forms.CharField):
    """A list of texts, one in a line."""

    widget = forms.Textarea

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [line.strip() for line in str(value or "").splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        before, after = self.to_python(self.prepare_value(initial)), self.to_python(data)
        return bool(before != after)


class ZoneSelect(forms.Select):
    """The time zones; a value that is none of them stays to be chosen."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """Django renders a template for each of six hundred options: a quarter of a second."""
        given = self.build_attrs(self.attrs, {**(attrs or {}), "name": name})
        options = _zone_options(str(value or "UTC"))
        return format_html("<select{}>{}</select>", flatatt(given), options)


@lru_cache(maxsize=32)
def _zone_options(chosen: str) -> SafeString:
    names = sorted({*zone_names(), chosen})
    rows = ((flatatt({"value": name, "selected": name == chosen}), name) for name in names)
    return format_html_join("", "<option{}>{}</option>", rows)


class ScheduleForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    """A schedule with the rules of its service."""

    exdates = LinesField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 24, "placeholder": "2026-10-01"}),
        help_text=gettext_lazy("Days without an airing, one in a line."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "exdates" in self.fields:
            self.fields["exdates"].label = capfirst(_("left out"))
        if "timezone" in self.fields:
            self.fields["timezone"].widget = ZoneSelect()

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        try:
            return {**values, **check_schedule(values)}
        except InvalidInputError as error:
            for detail in error.details:
                self.add_error(detail.field.split(".")[1], translate_reason(detail.message))
        except KeyError:
            pass  # a required field is missing, which the form says by itself
        return values

    class Meta:
        widgets = {
            "starts_at_local": forms.TextInput(attrs={"type": "datetime-local", "step": 1}),
            "rrule": forms.TextInput(attrs={"size": 48, "placeholder": "FREQ=DAILY"}),
        }
        help_texts = {
            "starts_at_local": "",
            "rrule": gettext_lazy(
                "Empty: once. FREQ=DAILY: every day. FREQ=WEEKLY;BYDAY=MO,WE,FR: on these days. "
                "FREQ=MONTHLY;BYMONTHDAY=-1: the last day of the month. UNTIL=20271231 ends it."
            ),
        }


class ScheduleInline(OrganizationScopedInline):
    model = Schedule
    form = ScheduleForm
    template = "admin/edit_inline/stacked.html"
    organization_field = "show__organization"
    view_permission = "show.view"
    edit_permission = "show.edit"
    fields = (("starts_at_local", "timezone"), "rrule", "exdates", "catch_up", "next_starts")
    readonly_fields = ("next_starts",)

    @admin.display(description=gettext_lazy("next starts"))
    def next_starts(self, schedule: Schedule) -> str:
        """In the clock time of the saved zone."""
        if schedule._state.adding:
            return "–"
        now = timezone.now()
        try:
            starts = list_starts(schedule, now, now + NEXT_WITHIN)[:NEXT_SHOWN]
        except DomainError as error:
            return refusal_text(error)
        zone = ZoneInfo(schedule.timezone)
        times = [f"{start.astimezone(zone):%Y-%m-%d %H:%M}" for start in starts]
        return ", ".join(times) or _("none")
