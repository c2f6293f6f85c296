"""Uploaded pictures in the admin: taken in through the service, shown, removed when unused."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from accounts.actor import signed_in
from livestudio.common.admin import OneOrganizationForm, OrganizationScopedAdmin
from livestudio.common.file_picker import FilePicker
from livestudio.common.once import once
from streams.admin.form_errors import with_form_errors
from streams.messages import picture_url
from streams.models import Picture
from streams.services.pictures import (
    PICTURE_MAX_BYTES,
    Rewritten,
    delete_picture,
    keep_picture,
    rename_picture,
    rewrite_upload,
    upload_name,
)


class PictureForm(OneOrganizationForm):
    """The file goes in once; afterwards only the name can change."""

    upload = forms.FileField(
        label=_("file"),
        help_text=_("JPEG, PNG or WebP, at most 8 MB and 40 megapixels. Logos: PNG with alpha."),
        widget=FilePicker(
            {"accept": "image/jpeg,image/png,image/webp"}, most_bytes=PICTURE_MAX_BYTES
        ),
    )
    rewritten: Rewritten | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "name" in self.fields:
            self.fields["name"].required = False

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # a hook of Django without types
        upload = self.cleaned_data.get("upload")
        if self.errors or upload is None:
            return
        with_form_errors(self, lambda: self._rewrite(upload))
        self.instance.name = self.instance.name or upload_name(upload)

    def _rewrite(self, upload: Any) -> None:
        kind = self.cleaned_data["kind"]
        self.rewritten = once(("picture", id(upload), kind), lambda: rewrite_upload(upload, kind))


@admin.register(Picture)
class PictureAdmin(OrganizationScopedAdmin):
    form = PictureForm
    looks_ahead = True
    view_permission = "show.view"
    edit_permission = "show.edit"
    list_display = ("preview", "name", "kind", "size", "organization")
    list_display_links = ("preview", "name")
    list_filter = ("kind", "organization")
    search_fields = ("name",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ("organization", "kind", "upload", "name")
        return ("organization", "name", "kind", "size", "preview")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return fields if obj is None else (*fields, "kind", "size", "preview")

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kw: Any
    ) -> Any:
        form = super().get_form(request, obj, change, **kw)
        if obj is not None:
            form.base_fields.pop("upload", None)
        return form

    @admin.display(description=_("preview"))
    def preview(self, picture: Picture) -> str:
        if picture._state.adding:
            return "-"
        html = '<img class="upload" src="{}" alt="{}" loading="lazy">'
        return format_html(html, picture_url(picture.pk), picture.name)

    @admin.display(description=_("size"))
    def size(self, picture: Picture) -> str:
        return f"{picture.width_px} × {picture.height_px}"

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if form.rewritten is not None:
            keep_picture(obj, form.rewritten, signed_in(request))
        elif "name" in form.changed_data and (name := form.cleaned_data["name"]):
            rename_picture(picture=obj, name=name, actor=signed_in(request))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        delete_picture(picture=obj, actor=signed_in(request))

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for picture in queryset:
            self.delete_model(request, picture)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """The service refuses those that are used, so nothing else goes."""
        return [str(picture) for picture in objs], {}, set(), []
