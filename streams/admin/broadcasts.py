"""Broadcasts, their transcript and events, and recordings: to read, not to write."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.actor import signed_in
from livestudio.common.admin import (
    OrganizationScopedAdmin,
    OrganizationScopedInline,
    ReadOnly,
    refusal_text,
)
from livestudio.common.errors import DomainError
from livestudio.common.local_time import clock_text
from livestudio.common.reasons import translate_reason
from streams.admin.cards import make_card
from streams.admin.event_words import event_facts, event_title
from streams.admin.troubles import troubles_of
from streams.messages import recording_json
from streams.models import (
    Broadcast,
    BroadcastEvent,
    BroadcastOutput,
    ControlCommand,
    Recording,
    Utterance,
)
from streams.services.lifecycle import stop_broadcast

NEWEST_SHOWN = 50


class _NewestInline(ReadOnly, OrganizationScopedInline):
    """The newest rows only: a long broadcast has thousands."""

    organization_field = "broadcast__organization"
    view_permission = "broadcast.view"
    newest = "-created_at"
    hidden_kinds: tuple[str, ...] = ()
    # What a row shows of others.
    related: tuple[str, ...] = ()
    max_num = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        match = request.resolver_match
        broadcast_id = match.kwargs.get("object_id") if match else None
        own = self.model._default_manager.filter(broadcast=broadcast_id).order_by(self.newest)
        if self.hidden_kinds:
            own = own.exclude(kind__in=self.hidden_kinds)
        keys = list(own.values_list("pk", flat=True)[:NEWEST_SHOWN])
        return rows.filter(pk__in=keys).order_by(self.newest).prefetch_related(*self.related)

    @admin.display(description=gettext_lazy("reason"))
    def told(self, row: Any) -> str:
        return translate_reason(row.reason)


class OutputsOnAirInline(_NewestInline):
    model = BroadcastOutput
    fields = ("name", "kind", "state", "told", "bitrate_kbps", "dropped", "reconnects")
    readonly_fields = fields


class RecordingInline(_NewestInline):
    model = Recording
    view_permission = "recording.view"
    fields = ("started_at", "ended_at", "state", "told", "download")
    readonly_fields = fields

    @admin.display(description=gettext_lazy("file"))
    def download(self, recording: Recording) -> str:
        return download_link(recording)


class UtteranceInline(_NewestInline):
    model = Utterance
    fields = ("moment", "source", "text", "state", "heard")
    readonly_fields = fields

    @admin.display(description=gettext_lazy("heard of it"))
    def heard(self, utterance: Utterance) -> str:
        if utterance.duration_ms is None:
            return "–"
        whole = _("%.1f s") % (utterance.duration_ms / 1000)
        if utterance.played_ms is None or utterance.played_ms >= utterance.duration_ms:
            return whole
        return _("%(part).1f of %(whole)s") % {"part": utterance.played_ms / 1000, "whole": whole}

    @admin.display(description=gettext_lazy("started at"))
    def moment(self, utterance: Utterance) -> str:
        return clock_text(utterance.started_at) if utterance.started_at else "–"


class EventInline(_NewestInline):
    model = BroadcastEvent
    newest = "-sequence"
    hidden_kinds = ("utterance", "cursor")  # the transcript tells these
    related = ("broadcast__outputs",)
    fields = ("sequence", "moment", "what", "facts")
    readonly_fields = fields

    @admin.display(description=gettext_lazy("kind"))
    def what(self, event: BroadcastEvent) -> str:
        return event_title(event.kind)

    @admin.display(description=gettext_lazy("at"))
    def moment(self, event: BroadcastEvent) -> str:
        return clock_text(event.at)

    @admin.display(description=gettext_lazy("data"))
    def facts(self, event: BroadcastEvent) -> str:
        names = {str(output.pk): output.name for output in event.broadcast.outputs.all()}
        known = event_facts(event.data, names)
        return format_html(
            '<span class="facts">{}</span>',
            format_html_join("", "<span><b>{}</b> {}</span>", known),
        )


class CommandInline(_NewestInline):
    model = ControlCommand
    related = ("actor",)
    fields = ("moment", "name", "actor", "state", "result")
    readonly_fields = fields

    @admin.display(description=gettext_lazy("at"))
    def moment(self, command: ControlCommand) -> str:
        return clock_text(command.created_at)


@admin.register(Broadcast)
class BroadcastAdmin(ReadOnly, OrganizationScopedAdmin):
    """One airing, to read; Stop is the only thing to do here."""

    view_permission = "broadcast.view"
    list_display = ("title", "state", "script", "started_at", "ended_at", "organization", "watch")
    list_filter = ("organization", "state")
    date_hierarchy = None
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("title", "organization"), ("state", "told"), ("script", "started_by"),
                    ("started_at", "first_frame_at", "ended_at"),
                )
            },
        ),
        (
            gettext_lazy("Processes and numbers"),
            {
                "classes": ("collapse",),
                "fields": (
                    "cursor", "runner_pid", "lease_epoch", "launch_attempts", "workers", "metrics",
                ),
            },
        ),
    )  # fmt: skip
    readonly_fields = (
        "title", "organization", "state", "told", "script", "started_by", "started_at",
        "first_frame_at", "ended_at", "cursor", "runner_pid", "lease_epoch", "launch_attempts",
        "workers", "metrics",
    )  # fmt: skip
    inlines = (UtteranceInline, RecordingInline, OutputsOnAirInline, EventInline, CommandInline)
    change_form_template = "streams/admin/broadcast_form.html"
    actions = ("stop_broadcasts",)

    @admin.display(description=gettext_lazy("reason"))
    def told(self, broadcast: Broadcast) -> str:
        return translate_reason(broadcast.reason)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        broadcast = self.get_object(request, object_id)
        if broadcast is not None and self.has_view_permission(request, broadcast):
            own = {
                "card": make_card(broadcast, signed_in(request)),
                "troubles": troubles_of(broadcast),
            }
            extra_context = {**(extra_context or {}), **own}
        return super().change_view(request, object_id, form_url, extra_context)

    @admin.display(description=gettext_lazy("title"))
    def title(self, broadcast: Broadcast) -> str:
        return str(broadcast.snapshot.get("title") or broadcast.pk)

    @admin.display(description=gettext_lazy("watch"))
    def watch(self, broadcast: Broadcast) -> str:
        url = f"/watch/{broadcast.pk}/"
        return format_html('<a href="{}">{}</a>', url, _("Watch"))

    @admin.action(description=gettext_lazy("Stop"))
    def stop_broadcasts(self, request: HttpRequest, queryset: QuerySet[Broadcast]) -> None:
        """End the chosen broadcasts at the next sentence end."""
        for broadcast in queryset.select_related("organization"):
            try:
                stop_broadcast(broadcast=broadcast, actor=signed_in(request))
            except DomainError as error:
                text = f"{broadcast}: {refusal_text(error)}"
                self.message_user(request, text, messages.ERROR)
            else:
                self.message_user(request, _("%s is stopping.") % broadcast, messages.SUCCESS)


@admin.register(Recording)
class RecordingAdmin(ReadOnly, OrganizationScopedAdmin):
    organization_field = "broadcast__organization"
    view_permission = "recording.view"
    list_display = ("broadcast", "state", "started_at", "ended_at", "download")
    list_filter = ("state",)
    fields = ("broadcast", "state", "reason", "started_at", "ended_at", "path", "download")
    readonly_fields = fields

    @admin.display(description=gettext_lazy("file"))
    def download(self, recording: Recording) -> str:
        return download_link(recording)


def download_link(recording: Recording) -> str:
    """A signed address, which needs no token of the API."""
    return format_html('<a href="{}">{}</a>', recording_json(recording)["file_url"], _("Open"))
