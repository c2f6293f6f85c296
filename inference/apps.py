"""The Django side of inference: which runner was launched where, and how it ended."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class InferenceConfig(AppConfig):
    name = "inference"
    verbose_name = _("inference")
    default_auto_field = "django.db.models.BigAutoField"
