"""What is kept of what happened: audit, answers given, and exports of it all."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models.people import Organization, OwnedModel, User
from livestudio.common.models import BaseModel
from livestudio.common.vault import SealedTextField


class OrganizationExport(OwnedModel):
    """Everything of an organization in one ZIP, made by `manage.py do_chores`."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        BUILDING = "building", _("being made")
        READY = "ready", _("ready")
        FAILED = "failed", _("failed")

    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.WAITING
    )
    with_recordings = models.BooleanField(_("with recordings"), default=False)
    requested_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("asked by")
    )
    # Inside `DATA_DIR/exports`; nobody can guess it.
    file_name = models.CharField(max_length=80, blank=True)
    size_bytes = models.PositiveBigIntegerField(_("size (bytes)"), null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    started_at = models.DateTimeField(null=True)
    ready_at = models.DateTimeField(_("ready at"), null=True)
    failure_reason = models.CharField(_("reason"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        indexes = (models.Index(fields=("state", "created_at"), name="export_to_make"),)

    def __str__(self) -> str:
        return f"{self.organization} · {self.get_state_display()}"


class AuditEntry(BaseModel):
    """Who did what to which object. Append-only; `actor` empty = the system itself."""

    created_at = models.DateTimeField(_("at"), auto_now_add=True, editable=False)
    organization = models.ForeignKey(
        Organization,
        on_delete=models.CASCADE,
        null=True,
        related_name="+",
        verbose_name=_("organization"),
    )
    actor = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("who")
    )
    action = models.CharField(_("did what"), max_length=100)
    object_type = models.CharField(_("to what"), max_length=100)
    object_id = models.CharField(_("its id"), max_length=64)
    data = models.JSONField(_("details"), default=dict)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        ordering = ("-created_at",)
        indexes = (
            models.Index(fields=("organization", "created_at"), name="audit_of_organization"),
            models.Index(fields=("object_id",), name="audit_of_object"),
        )

    def __str__(self) -> str:
        return f"{self.action} {self.object_type} {self.object_id}"


class IdempotencyRecord(BaseModel):
    """The answer that was given to one POST with an Idempotency-Key, to be given again.

    scope: SHA-256 of the organization and the address that were asked, and of the key. sealed_body:
    in place of body, where it holds what no row may show.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=128)
    scope = models.CharField(max_length=64, default="")
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.JSONField(null=True)
    sealed_body = SealedTextField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("user", "key", "scope"), name="one_answer_per_key"),
        )

    def __str__(self) -> str:
        return f"{self.key} → {self.status}"
