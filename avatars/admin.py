"""Avatars in the admin."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from accounts.actor import signed_in
from accounts.models import Consent
from avatars import builds, services
from avatars.access import get_build_for
from avatars.avatar_form import FILMED, WORDS, AvatarForm, engine_fieldsets, uploads_of
from avatars.build_words import stage_text
from avatars.bundle_archive import stream_archive
from avatars.models import Avatar, AvatarBuild, AvatarClip
from avatars.previews import build_preview_url, has_picture, preview_url
from avatars.uploads import check_uploads
from avatars.weights import weights_of
from livestudio.common.admin import (
    OrganizationScopedAdmin,
    OrganizationScopedInline,
    ReadOnly,
)
from livestudio.common.errors import DomainError, ForbiddenError, NotFoundError
from livestudio.common.local_time import clock_text
from livestudio.common.reasons import translate_reason
from livestudio.common.settings_form import settings_text


class ClipInline(OrganizationScopedInline):
    model = AvatarClip
    organization_field = "avatar__organization"
    view_permission = "avatar.view"
    edit_permission = "avatar.edit"


class BuildInline(ReadOnly, OrganizationScopedInline):
    """The versions of a filmed presenter, to be read; one that failed can be built again."""

    model = AvatarBuild
    organization_field = "avatar__organization"
    view_permission = "avatar.view"
    fields = (
        "number",
        "is_current",
        "state",
        "progress",
        "step",
        "why",
        "film",
        "bundle",
        "steps",
        "again",
    )
    readonly_fields = fields
    can_delete = False

    @admin.display(description=_("stage"))
    def step(self, build: AvatarBuild) -> str:
        return stage_text(build.stage)

    @admin.display(description=_("reason"))
    def why(self, build: AvatarBuild) -> str:
        return translate_reason(build.reason)

    @admin.display(description=_("preview"))
    def film(self, build: AvatarBuild) -> str:
        has_film = build.facts.get("has_preview", True)
        if build.state != AvatarBuild.State.READY or not has_film:
            return "-"
        return format_html('<a href="{}">MP4</a>', build_preview_url(build))

    @admin.display(description=_("zip"))
    def bundle(self, build: AvatarBuild) -> str:
        if build.state != AvatarBuild.State.READY:
            return "-"
        url = reverse("admin:avatars_avatar_bundle", args=[build.avatar_id, build.pk])
        return format_html('<a href="{}">ZIP</a>', url)

    @admin.display(description=_("build again"))
    def again(self, build: AvatarBuild) -> str:
        if build.state != AvatarBuild.State.FAILED or not build.source:
            return "-"
        button = '<button type="submit" name="_retry" value="{}">{}</button>'
        return format_html(button, build.pk, _("build again"))

    @admin.display(description=_("log"))
    def steps(self, build: AvatarBuild) -> str:
        return format_html_join("", "{} {} {}<br>", (_step(entry) for entry in build.log))


def _step(entry: Mapping[str, str]) -> tuple[str, str, str]:
    """Of the log of a build: when, which step, and what there was to say of it."""
    at = clock_text(datetime.fromisoformat(entry["at"]))
    return at, stage_text(entry["stage"]), translate_reason(entry["message"])


def bundle_file(request: HttpRequest, avatar_id: UUID, build_id: UUID) -> StreamingHttpResponse:
    """A version as a zip, for those who may edit the presenter."""
    try:
        build = get_build_for(signed_in(request), avatar_id, build_id, "avatar.edit")
        zipped = stream_archive(build)
    except NotFoundError as error:
        raise Http404 from error
    except ForbiddenError as error:
        raise PermissionDenied from error
    headers = {"Content-Disposition": 'attachment; filename="presenter.zip"'}
    return StreamingHttpResponse(zipped, content_type="application/zip", headers=headers)


@admin.register(Avatar)
class AvatarAdmin(OrganizationScopedAdmin):
    form = AvatarForm
    looks_ahead = True
    view_permission = "avatar.view"
    edit_permission = "avatar.edit"
    readonly_fields = ("state", "picture", "weights", "settings_summary")
    change_form_template = "avatars/admin/avatar_form.html"
    list_display = ("name", "engine", "state", "organization")
    list_filter = ("organization", "engine", "state")
    search_fields = ("name",)
    inlines = (BuildInline, ClipInline)

    def get_urls(self) -> list[Any]:
        route = path(
            "<uuid:avatar_id>/builds/<uuid:build_id>/bundle/",
            self.admin_site.admin_view(bundle_file),
            name="avatars_avatar_bundle",
        )
        return [route, *super().get_urls()]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "consent":
            rows = Consent.objects.visible_to(signed_in(request))
            kwargs["queryset"] = rows.exclude(scope=Consent.Scope.VOICE)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Who may only look reads the settings in one line."""
        what = ("organization", "name", "engine")
        end = ("consent", "licences", "state", "picture", "weights")
        if not self.has_change_permission(request, obj):
            return ((None, {"fields": (*what, "settings_summary", *end)}),)
        return ((None, {"fields": what}), *engine_fieldsets(), (None, {"fields": end}))

    @admin.display(description=_("settings"))
    def settings_summary(self, avatar: Avatar) -> str:
        return settings_text(avatar.settings, WORDS, avatar.engine)

    @admin.display(description=_("preview"))
    def picture(self, avatar: Avatar) -> str:
        """The address is drawn on demand: opening the list must not start engines."""
        if avatar._state.adding or not has_picture(avatar):
            return "-"
        url = preview_url(avatar)
        return format_html('<img src="{}" alt="{}" width="320">', url, avatar.name)

    @admin.display(description=_("weights and their licences"))
    def weights(self, avatar: Avatar) -> str:
        """Of the networks that the engine loads; those that draw need none."""
        if avatar._state.adding:
            return "-"
        found = weights_of(avatar)
        lines = (
            (part["name"], _("ready") if part["is_ready"] else _("missing"), part["licence"])
            for part in found.networks
        )
        return format_html_join("", "{}: {} · {}<br>", lines) or found.message or "-"

    def look_ahead(self, form: Any) -> None:
        uploads, avatar = uploads_of(form), form.instance
        if avatar.engine in FILMED and uploads["file"] is not None:
            with suppress(DomainError):  # the service says it
                check_uploads(engine=avatar.engine, settings=avatar.settings, uploads=uploads)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        user: Any = request.user
        values = {
            name: getattr(obj, name)
            for name in ("name", "engine", "settings", "licences", "consent")
        }
        if change:
            services.update_avatar(avatar=obj, values=values, actor=user)
            self._build(obj, request.POST.get("_retry"), form, user)
        else:
            self._create(obj, values, form, user)

    def _build(self, avatar: Avatar, failed: str | None, form: Any, user: Any) -> None:
        uploads = uploads_of(form)
        if failed:
            build = get_build_for(user, avatar.pk, failed, "avatar.edit")
            builds.retry_build(build=build, actor=user)
        elif uploads["file"] is not None:
            builds.start_build(avatar=avatar, uploads=uploads, actor=user)

    def _create(self, obj: Avatar, values: dict[str, Any], form: Any, user: Any) -> None:
        if obj.engine in FILMED:
            made = builds.create_filmed_avatar(
                organization=obj.organization, values=values, uploads=uploads_of(form), actor=user
            )
        else:
            made = services.create_avatar(organization=obj.organization, values=values, actor=user)
        obj.pk, obj._state.adding = made.pk, False

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        user: Any = request.user
        services.delete_avatar(avatar=obj, actor=user)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for avatar in queryset:
            self.delete_model(request, avatar)
