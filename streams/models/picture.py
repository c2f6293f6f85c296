"""Picture: an image that an organization uploaded for what its shows look like."""

from __future__ import annotations

import secrets
from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import OwnedModel

PICTURES_FOLDER: Final = "pictures"


class PictureKind(models.TextChoices):
    """What it is for; it decides how it is kept."""

    CARD = "card", _("Picture of a product card")
    LOGO = "logo", _("Logo")
    BACKGROUND = "background", _("Background")


def random_name(picture: Picture, name: str) -> str:
    """Where the file is kept: nothing of the uploader's name is in it, and nobody can guess it."""
    return f"{PICTURES_FOLDER}/{secrets.token_hex(16)}.{name.rpartition('.')[2]}"


class Picture(OwnedModel):
    """An upload, decoded and written anew by us. Its file never changes: a new one is a new row."""

    name = models.CharField(_("name"), max_length=100)
    kind = models.CharField(_("kind"), max_length=12, choices=PictureKind)
    file = models.FileField(_("file"), upload_to=random_name, editable=False)
    width_px = models.PositiveIntegerField(_("width (px)"), editable=False)
    height_px = models.PositiveIntegerField(_("height (px)"), editable=False)

    class Meta:
        verbose_name = _("picture")
        verbose_name_plural = _("pictures")
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["organization", "-created_at"])]

    def __str__(self) -> str:
        return self.name
