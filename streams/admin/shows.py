"""Shows with their cues, and the buttons that put them on air."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.db.models import Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.actor import signed_in
from accounts.audit import record
from accounts.roles import has_permission
from livestudio.common.admin import (
    OneOrganizationForm,
    OrganizationScopedAdmin,
    OrganizationScopedInline,
    refusal_text,
)
from livestudio.common.buttons import pressed_on
from livestudio.common.errors import DomainError, NotFoundError
from streams.access import get_show_for
from streams.admin.cards import broadcasts_of, make_card
from streams.admin.form_errors import with_form_errors
from streams.admin.looks import BackgroundField, CardField
from streams.admin.schedules import ScheduleInline
from streams.admin.script_paste import read_script
from streams.models import Cue, Picture, Schedule, Show
from streams.models.picture import PictureKind
from streams.selectors import find_live_broadcast
from streams.services.clashes import warnings_of
from streams.services.lengths import clock_text, estimate_cue_seconds, estimate_rundown_seconds
from streams.services.lifecycle import start_broadcast, stop_broadcast
from streams.services.rundown import append_cues, check_cue
from streams.services.schedule import plan_anew
from streams.services.shows import (
    archive_show,
    check_show,
    lock_show,
    record_label,
    tell_viewers,
)
from streams.telling import tell_show

# A whole evening of talk; the cues of it have limits of their own.
SCRIPT_MAX_CHARACTERS: Final = 200_000


class ShowForm(OneOrganizationForm):
    """A show with the rules of its service, and a box to paste a script into."""

    script = forms.CharField(
        label=gettext_lazy("Paste a script"),
        required=False,
        max_length=SCRIPT_MAX_CHARACTERS,
        widget=forms.Textarea(attrs={"rows": 6, "cols": 80}),
        help_text=gettext_lazy(
            "A blank line begins the next cue. Saving adds the cues at the end of the rundown."
        ),
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if not self.errors and self.instance.organization_id is None:
            self.instance.organization = values.get("organization")
        return values

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # a hook of Django without types
        if not self.errors:
            with_form_errors(self, lambda: check_show(self.instance))
            with_form_errors(self, self._read_script)

    def _read_script(self) -> None:
        script = self.cleaned_data.get("script", "")
        self.pasted_cues = read_script(script, self.instance.language)


class CueForm(OneOrganizationForm):
    """A cue, checked by the parser that plays it."""

    card = CardField(label=gettext_lazy("product card"))

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # a hook of Django without types
        show = self.instance.show if self.instance.show_id or self.instance._state.adding else None
        # Of a show that is itself wrong, the language and the presenter are not known.
        if not self.errors and show is not None and show.voice_id and show.avatar_id:
            with_form_errors(self, lambda: check_cue(self.instance))

    class Meta:
        widgets = {"text": forms.Textarea(attrs={"rows": 3, "cols": 80})}


class CueInline(OrganizationScopedInline):
    model = Cue
    form = CueForm
    # A table of eleven columns fits no screen.
    template = "admin/edit_inline/stacked.html"
    organization_field = "show__organization"
    view_permission = "show.view"
    edit_permission = "show.edit"
    fields = (
        ("position", "kind", "length"), "text", ("expression", "gesture", "emotion"), "card",
        "card_picture", ("clip", "pause_seconds"),
    )  # fmt: skip
    readonly_fields = ("length",)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "card_picture":
            kwargs["queryset"] = Picture.objects.visible_to(signed_in(request)).filter(
                kind=PictureKind.CARD
            )
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "card_picture" and field is not None:
            # Only the plus: a row of the rundown is full enough.
            widget: Any = field.widget
            widget.can_change_related = widget.can_view_related = False
            widget.can_delete_related = False
        return field

    @admin.display(description=gettext_lazy("length"))
    def length(self, cue: Cue) -> str:
        """Estimated from the text as it was saved."""
        if cue._state.adding or cue.show_id is None:
            return "–"
        return clock_text(estimate_cue_seconds(cue, cue.show.language))


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
    readonly_fields = ("total_length",)
    change_form_template = "streams/admin/show_form.html"
    inlines = (CueInline, ScheduleInline)
    actions = ("start_shows", "stop_shows")
    fieldsets = (
        (None, {"fields": ("organization", "title", "avatar", "voice", "language", "profile")}),
        (None, {"fields": ("visibility", "background", "outputs", "record", "is_commercial")}),
        (
            gettext_lazy("Rundown"),
            {
                "fields": (
                    "rundown_mode",
                    "loop_pause_seconds",
                    "ends",
                    "duration_minutes",
                    "total_length",
                    "script",
                )
            },
        ),
        (
            gettext_lazy("In the picture"),
            {
                "fields": (
                    "captions",
                    "overlay_title",
                    ("lower_third_name", "lower_third_role"),
                    ("logo", "logo_position"),
                    ("clock_format", "clock_position", "clock_timezone"),
                    ("label_preset", "label_position"),
                )
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        live = broadcasts_of(signed_in(request)).exclude(active_key=None)
        on_air = Prefetch("broadcasts", live, "airings")
        return super().get_queryset(request).filter(archived_at=None).prefetch_related(on_air)

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        if db_field.name != "background":
            return super().formfield_for_dbfield(db_field, request, **kwargs)
        allowed = signed_in(request).organizations_where("show.edit")
        own = Picture.objects.filter(organization__in=allowed, kind=PictureKind.BACKGROUND)
        return BackgroundField(own, label=db_field.verbose_name)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "logo":
            kwargs["queryset"] = Picture.objects.visible_to(signed_in(request)).filter(
                kind=PictureKind.LOGO
            )
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(start_button)
        route = path("<uuid:show_id>/start/", view, name="streams_show_start")
        return [route, *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        show = self.get_object(request, object_id)
        live = find_live_broadcast(show) if show else None
        card = make_card(live, signed_in(request)) if live else None
        may_start = show is not None and has_permission(
            signed_in(request), "broadcast.start", show.organization
        )
        context = {**(extra_context or {}), "card": card, "may_start": may_start}
        return super().change_view(request, object_id, form_url, context)

    @admin.display(description=gettext_lazy("length of the rundown"))
    def total_length(self, show: Show) -> str:
        """Estimated from the saved texts."""
        if show._state.adding:
            return "–"
        return clock_text(estimate_rundown_seconds(show.cues.all(), show.language))

    @admin.display(description=gettext_lazy("on air"))
    def on_air(self, show: Any) -> str:
        if not show.airings:
            return "-"
        (broadcast,) = show.airings
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
        if change:
            lock_show(Show.objects.for_organization(obj.organization).get(pk=obj.pk))
        super().save_model(request, obj, form, change)
        verb = "changed" if change else "created"
        record(signed_in(request), f"streams.show.{verb}", obj, data={"fields": form.changed_data})
        before = form.initial.get("label_preset", "") if change else ""
        record_label(obj, before=before, actor=signed_in(request))
        if change and "visibility" in form.changed_data:
            tell_viewers(obj)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if any(item.model is Schedule and item.has_changed() for item in formsets):
            plan_anew(form.instance)
        if texts := form.pasted_cues:
            cues = [{"kind": "speech", "text": text} for text in texts]
            append_cues(form.instance, cues, lambda index: f"{index}.")
        tell_show(form.instance, "changed" if change else "created")
        for warning in warnings_of(form.instance):
            self.message_user(request, warning.text, messages.WARNING)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        archive_show(show=obj, actor=signed_in(request))

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for show in queryset:
            archive_show(show=show, actor=signed_in(request))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """A show is put away, not deleted: its broadcasts and recordings stay."""
        return [str(show) for show in objs], {}, set(), []

    def _refused(self, request: HttpRequest, show: Show, error: DomainError) -> None:
        self.message_user(request, f"{show}: {refusal_text(error)}", messages.ERROR)


@pressed_on(lambda show_id: reverse("admin:streams_show_change", args=[show_id]))
def start_button(request: HttpRequest, show_id: UUID) -> HttpResponseRedirect:
    """Put a show on air and go to its broadcast; what is missing is told on the show's page."""
    user = signed_in(request)
    try:
        show = get_show_for(user, show_id, "broadcast.start")
    except NotFoundError as error:
        raise Http404 from error
    except DomainError as error:
        messages.error(request, refusal_text(error))
        return HttpResponseRedirect(reverse("admin:streams_show_changelist"))
    try:
        broadcast = start_broadcast(show=show, actor=user)
    except DomainError as error:
        messages.error(request, refusal_text(error))
        return HttpResponseRedirect(reverse("admin:streams_show_change", args=[show.pk]))
    messages.success(request, _("%s is starting.") % show)
    return HttpResponseRedirect(reverse("admin:streams_broadcast_change", args=[broadcast.pk]))
