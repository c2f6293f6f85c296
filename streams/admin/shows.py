"""Shows with their cues, and the buttons that put them on air."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.audit import record
from accounts.models import User
from livestudio.common.admin import (
    OneOrganizationForm,
    OrganizationScopedAdmin,
    OrganizationScopedInline,
)
from livestudio.common.errors import DomainError, InvalidInputError
from streams.models import Cue, Schedule, Show
from streams.selectors import find_live_broadcast
from streams.services.lifecycle import start_broadcast, stop_broadcast
from streams.services.rundown import check_cue
from streams.services.schedule import check_schedule
from streams.services.shows import archive_show, check_show


class ShowForm(OneOrganizationForm):
    """A show with the rules of its service."""

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if not self.errors and self.instance.organization_id is None:
            self.instance.organization = values.get("organization")
        return values

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # a hook of Django without types
        if not self.errors:
            with_form_errors(self, lambda: check_show(self.instance))


class CueForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    """A cue, checked by the parser that plays it."""

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # a hook of Django without types
        show = self.instance.show if self.instance.show_id or self.instance._state.adding else None
        # Of a show that is itself wrong, the language and the presenter are not known.
        if not self.errors and show is not None and show.voice_id and show.avatar_id:
            with_form_errors(self, lambda: check_cue(self.instance))

    class Meta:
        widgets = {"text": forms.Textarea(attrs={"rows": 3, "cols": 60})}


class ScheduleForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    """A schedule with the rules of its service."""

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        try:
            return {**values, **check_schedule(values)}
        except InvalidInputError as error:
            for detail in error.details:
                self.add_error(detail.field.split(".")[1], detail.message)
        except KeyError:
            pass  # a required field is missing, which the form says by itself
        return values


class CueInline(OrganizationScopedInline):
    model = Cue
    form = CueForm
    organization_field = "show__organization"
    view_permission = "show.view"
    edit_permission = "show.edit"
    fields = (
        "position", "kind", "text", "expression", "gesture", "emotion", "clip", "pause_seconds",
    )  # fmt: skip


class ScheduleInline(OrganizationScopedInline):
    model = Schedule
    form = ScheduleForm
    organization_field = "show__organization"
    view_permission = "show.view"
    edit_permission = "show.edit"
    fields = ("starts_at_local", "timezone", "rrule", "exdates", "catch_up")


@admin.register(Show)
class ShowAdmin(OrganizationScopedAdmin):
    """The plan; Start and Stop call the services and tell what they refuse."""

    form = ShowForm
    view_permission = "show.view"
    edit_permission = "show.edit"
    list_display = ("title", "avatar", "voice", "language", "on_air", "organization")
    list_filter = ("organization", "language", "visibility")
    search_fields = ("title",)
    filter_horizontal = ("outputs",)
    inlines = (CueInline, ScheduleInline)
    actions = ("start_shows", "stop_shows")
    fieldsets = (
        (None, {"fields": ("organization", "title", "avatar", "voice", "language", "profile")}),
        (None, {"fields": ("visibility", "background", "outputs", "record")}),
        (
            gettext_lazy("Rundown"),
            {"fields": ("rundown_mode", "loop_pause_seconds", "ends", "duration_minutes")},
        ),
        (
            gettext_lazy("In the picture"),
            {"fields": ("captions", "overlay_title", "label_preset", "label_position")},
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(archived_at=None)

    @admin.display(description=gettext_lazy("on air"))
    def on_air(self, show: Show) -> str:
        broadcast = find_live_broadcast(show)
        if broadcast is None:
            return "-"
        url = f"/watch/{broadcast.pk}/"
        return format_html('<a href="{}">{}</a>', url, broadcast.get_state_display())

    @admin.action(description=gettext_lazy("Start"))
    def start_shows(self, request: HttpRequest, queryset: QuerySet[Show]) -> None:
        """Put the chosen shows on air."""
        for show in queryset.select_related("organization", "avatar", "voice"):
            try:
                start_broadcast(show=show, actor=signed_in(request))
            except DomainError as error:
                self._refused(request, show, error)
            else:
                self.message_user(request, _("%s is starting.") % show, messages.SUCCESS)

    @admin.action(description=gettext_lazy("Stop"))
    def stop_shows(self, request: HttpRequest, queryset: QuerySet[Show]) -> None:
        """End what is on air of the chosen shows."""
        for show in queryset:
            broadcast = find_live_broadcast(show)
            if broadcast is None:
                self.message_user(request, _("%s is not on air.") % show, messages.WARNING)
                continue
            try:
                stop_broadcast(broadcast=broadcast, actor=signed_in(request))
            except DomainError as error:
                self._refused(request, show, error)
            else:
                self.message_user(request, _("%s is stopping.") % show, messages.SUCCESS)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        verb = "changed" if change else "created"
        record(signed_in(request), f"streams.show.{verb}", obj, data={"fields": form.changed_data})

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        archive_show(show=obj, actor=signed_in(request))

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for show in queryset:
            archive_show(show=show, actor=signed_in(request))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """A show is put away, not deleted: its broadcasts and recordings stay."""
        return [str(show) for show in objs], {}, set(), []

    def _refused(self, request: HttpRequest, show: Show, error: DomainError) -> None:
        self.message_user(request, f"{show}: {error.message}", messages.ERROR)


def with_form_errors(form: Any, check: Any) -> None:
    """Run a check of a service; what it refuses becomes errors of the form's fields."""
    try:
        check()
    except InvalidInputError as error:
        for detail in error.details or ():
            field = detail.field.rpartition(".")[2]
            known = field if field in form.fields else None
            form.add_error(known, ValidationError(detail.message))
        if not error.details:
            form.add_error(None, ValidationError(error.message))


def signed_in(request: HttpRequest) -> User:
    """The user of an admin request."""
    assert isinstance(request.user, User)
    return request.user
