"""Avatars in the admin."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from accounts.actor import signed_in
from accounts.models import Consent
from avatars import builds, services
from avatars.access import get_build_for
from avatars.bundle_archive import open_archive
from avatars.marks import MarksField
from avatars.models import Avatar, AvatarBuild, AvatarClip
from avatars.previews import build_preview_url, preview_url
from avatars.validators import check_avatar
from avatars.weights import weights_of
from inference.catalog import ENGINES, PRESENTERS
from livestudio.common.admin import (
    OneOrganizationForm,
    OrganizationScopedAdmin,
    OrganizationScopedInline,
    ReadOnly,
)
from livestudio.common.errors import ForbiddenError, InvalidInputError, NotFoundError


class AvatarForm(OneOrganizationForm):
    engine = forms.ChoiceField(
        label=_("engine"),
        choices=[(e.name, f"{e.label_zh} · {e.label_en}") for e in ENGINES if e.kind == "face"],
    )
    presenter = forms.ChoiceField(
        label=_("presenter"),
        required=False,
        choices=[
            ("", "---------"),
            *(
                (
                    f"{item.character}/{outfit.name}",
                    f"{item.label}: {outfit.label_zh} · {outfit.label_en}",
                )
                for item in PRESENTERS
                for outfit in item.outfits
            ),
        ],
    )

    film = forms.FileField(
        label=_("film, photo or zip"),
        required=False,
        help_text=_(
            "Of the person, or a presenter that was built elsewhere: it becomes the next version."
        ),
    )
    landmarks = forms.FileField(
        label=_("face points"), required=False, help_text=_("The JSON file with the face points.")
    )
    marks = MarksField(
        label=_("marks on the photo"),
        required=False,
        help_text=_(
            "A photo that is to speak: one person, straight into the camera, lips closed, eyes "
            "open, even light, the face at least 200 px wide. Hands, glances and a turned head "
            "are not in it. Choose the photo above and drag each mark to its place."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["presenter"].initial = _presenter_of(self.instance)

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if "presenter" in self.changed_data:
            _choose_presenter(values)
        is_new = self.instance._state.adding
        if is_new and values.get("engine") in _FILMED and not values.get("film"):
            self.add_error("film", _("Upload a video or photo of the presenter."))
        try:
            check_avatar(engine=values.get("engine", ""), settings=values.get("settings") or {})
        except InvalidInputError as error:
            for detail in error.details:
                self.add_error(detail.field.partition(".")[0], detail.message)
        return values


_FILMED: Final = frozenset(e.name for e in ENGINES if e.kind == "face" and e.builder)


def _uploads_of(form: Any) -> dict[str, Any]:
    values = form.cleaned_data
    points = values.get("landmarks") or values.get("marks")
    return {"file": values.get("film"), "landmarks": points}


def _presenter_of(avatar: Avatar) -> str:
    """The drawn presenter and outfit that an avatar's settings name, as the form chooses them."""
    for item in PRESENTERS:
        if avatar.engine == "puppet" and avatar.settings.get("character") == item.character:
            return f"{item.character}/{avatar.settings.get('outfit', item.outfits[0].name)}"
    return ""


def _choose_presenter(values: dict[str, Any]) -> None:
    """Put a chosen presenter into the settings; other engines have none."""
    settings = values.get("settings")
    if values.get("engine") != "puppet" or not values.get("presenter"):
        return
    if settings is None or isinstance(settings, dict):
        character, _, outfit = values["presenter"].partition("/")
        values["settings"] = {**(settings or {}), "character": character, "outfit": outfit}


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
        "stage",
        "reason",
        "film",
        "bundle",
        "steps",
        "again",
    )
    readonly_fields = fields
    can_delete = False

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
        lines = ((entry["at"][11:19], entry["stage"], entry["message"]) for entry in build.log)
        return format_html_join("", "{} {} {}<br>", lines)


def bundle_file(request: HttpRequest, avatar_id: UUID, build_id: UUID) -> FileResponse:
    """A version as a zip, for those who may edit the presenter."""
    try:
        build = get_build_for(signed_in(request), avatar_id, build_id, "avatar.edit")
        archive = open_archive(build)
    except NotFoundError as error:
        raise Http404 from error
    except ForbiddenError as error:
        raise PermissionDenied from error
    return FileResponse(
        archive, as_attachment=True, filename="presenter.zip", content_type="application/zip"
    )


@admin.register(Avatar)
class AvatarAdmin(OrganizationScopedAdmin):
    form = AvatarForm
    view_permission = "avatar.view"
    edit_permission = "avatar.edit"
    fields = (
        "organization", "name", "engine", "presenter", "film", "landmarks", "marks",
        "settings", "consent", "licences", "state", "picture", "weights",
    )  # fmt: skip
    readonly_fields = ("state", "picture", "weights")
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

    @admin.display(description=_("preview"))
    def picture(self, avatar: Avatar) -> str:
        """The address is drawn on demand: opening the list must not start engines."""
        if avatar._state.adding:
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
        uploads = _uploads_of(form)
        if failed:
            build = get_build_for(user, avatar.pk, failed, "avatar.edit")
            builds.retry_build(build=build, actor=user)
        elif uploads["file"] is not None:
            builds.start_build(avatar=avatar, uploads=uploads, actor=user)

    def _create(self, obj: Avatar, values: dict[str, Any], form: Any, user: Any) -> None:
        if obj.engine in _FILMED:
            made = builds.create_filmed_avatar(
                organization=obj.organization, values=values, uploads=_uploads_of(form), actor=user
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
