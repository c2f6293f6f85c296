"""Broadcasts, their transcript and events, and recordings: to read, not to write."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from livestudio.common.admin import OrganizationScopedAdmin, OrganizationScopedInline, ReadOnly
from livestudio.common.errors import DomainError
from streams.admin.shows import signed_in
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
    max_num = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        match = request.resolver_match
        broadcast_id = match.kwargs.get("object_id") if match else None
        own = self.model._default_manager.filter(broadcast=broadcast_id).order_by(self.newest)
        keys = list(own.values_list("pk", flat=True)[:NEWEST_SHOWN])
        return rows.filter(pk__in=keys).order_by(self.newest)


class OutputsOnAirInline(_NewestInline):
    model = BroadcastOutput
    fields = ("name", "kind", "state", "reason", "bitrate_kbps", "dropped", "reconnects")
    readonly_fields = fields


class UtteranceInline(_NewestInline):
    model = Utterance
    fields = ("started_at", "source", "text", "state", "played_ms", "duration_ms")
    readonly_fields = fields


class EventInline(_NewestInline):
    model = BroadcastEvent
    newest = "-sequence"
    fields = ("sequence", "at", "kind", "data")
    readonly_fields = fields


class CommandInline(_NewestInline):
    model = ControlCommand
    fields = ("created_at", "name", "actor", "state", "result")
    readonly_fields = fields


@admin.register(Broadcast)
class BroadcastAdmin(ReadOnly, OrganizationScopedAdmin):
    """One airing, to read; Stop is the only thing to do here."""

    view_permission = "broadcast.view"
    list_display = ("title", "state", "script", "started_at", "ended_at", "organization", "watch")
    list_filter = ("organization", "state")
    date_hierarchy = None
    fields = (
        "title", "organization", "state", "reason", "script", "cursor", "watch",
        "started_by", "started_at", "first_frame_at", "ended_at",
        "runner_pid", "lease_epoch", "launch_attempts", "workers", "metrics",
    )  # fmt: skip
    readonly_fields = fields
    inlines = (OutputsOnAirInline, UtteranceInline, EventInline, CommandInline)
    actions = ("stop_broadcasts",)

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
                self.message_user(request, f"{broadcast}: {error.message}", messages.ERROR)
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
        url = recording_json(recording)["file_url"]
        return format_html('<a href="{}">{}</a>', url, _("Open"))
