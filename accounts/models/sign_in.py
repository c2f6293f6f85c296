"""What signs a user in again: devices, and the second factor."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models.people import User
from livestudio.common.models import BaseModel
from livestudio.common.vault import SealedTextField


class DeviceSession(BaseModel):
    """One sign-in on one device. Its refresh token rotates; an old one ends the whole session.

    is_bound: the client keeps a device id, so a token without it is refused too. has_arrived: what
    was given with `refresh_id` has been used, so that the token before it is spent (ADR 0058).
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="device_sessions")
    device_id = models.CharField(max_length=64)
    name = models.CharField(max_length=100, blank=True)
    is_bound = models.BooleanField(default=False)
    refresh_id = models.CharField(max_length=32)
    previous_refresh_id = models.CharField(max_length=32, blank=True)
    has_arrived = models.BooleanField(default=True, db_default=True)
    last_used_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("device")
        verbose_name_plural = _("devices")
        indexes = (models.Index(fields=("user", "device_id"), name="device_of_user"),)

    def __str__(self) -> str:
        return f"{self.user} · {self.name or self.device_id}"


class TotpDevice(BaseModel):
    """The authenticator app of a user. It counts from `confirmed_at` on.

    last_step: of the newest code that was used, in steps of 30 s since 1970; not taken again.
    """

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="totp")
    secret = SealedTextField()
    confirmed_at = models.DateTimeField(null=True)
    last_step = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.user)


class RecoveryCode(BaseModel):
    """Signs in once in place of a code of the app. Only a keyed hash is kept."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="recovery_codes")
    hashed = models.CharField(max_length=64)

    def __str__(self) -> str:
        return str(self.user)
