"""Avatars in the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from avatars import services
from avatars.models import Avatar, AvatarClip
from avatars.previews import preview_url
from avatars.validators import check_avatar
from inference.catalog import ENGINES, PRESENTERS
from livestudio.common.admin import (
    OneOrganizationForm,
    OrganizationScopedAdmin,
    OrganizationScopedInline,
)
from livestudio.common.errors import InvalidInputError


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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["presenter"].initial = _presenter_of(self.instance)

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if "presenter" in self.changed_data:
            _choose_presenter(values)
        try:
            check_avatar(engine=values.get("engine", ""), settings=values.get("settings") or {})
        except InvalidInputError as error:
            for detail in error.details:
                self.add_error(detail.field.partition(".")[0], detail.message)
        return values


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


@admin.register(Avatar)
class AvatarAdmin(OrganizationScopedAdmin):
    form = AvatarForm
    view_permission = "avatar.view"
    edit_permission = "avatar.edit"
    fields = (
        "organization", "name", "engine", "presenter", "settings", "licences", "state", "picture",
    )  # fmt: skip
    readonly_fields = ("state", "picture")
    list_display = ("name", "engine", "state", "organization")
    list_filter = ("organization", "engine", "state")
    search_fields = ("name",)
    inlines = (ClipInline,)

    @admin.display(description=_("preview"))
    def picture(self, avatar: Avatar) -> str:
        """The address is drawn on demand: opening the list must not start engines."""
        if avatar._state.adding:
            return "-"
        url = preview_url(avatar)
        return format_html('<img src="{}" alt="{}" width="320">', url, avatar.name)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        user: Any = request.user
        values = {name: getattr(obj, name) for name in ("name", "engine", "settings", "licences")}
        if change:
            services.update_avatar(avatar=obj, values=values, actor=user)
        else:
            made = services.create_avatar(organization=obj.organization, values=values, actor=user)
            obj.pk, obj._state.adding = made.pk, False

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        user: Any = request.user
        services.delete_avatar(avatar=obj, actor=user)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for avatar in queryset:
            self.delete_model(request, avatar)
