"""Users, organizations, and what is kept of both."""

from __future__ import annotations

from accounts.models.consent import Consent, consent_file_name
from accounts.models.people import (
    AccountManager,
    ApiKey,
    Invitation,
    Membership,
    Organization,
    OwnedModel,
    OwnedQuerySet,
    User,
)
from accounts.models.records import AuditEntry, IdempotencyRecord, OrganizationExport
from accounts.models.sign_in import DeviceSession, RecoveryCode, TotpDevice

__all__ = [
    "AccountManager",
    "ApiKey",
    "AuditEntry",
    "Consent",
    "DeviceSession",
    "IdempotencyRecord",
    "Invitation",
    "Membership",
    "Organization",
    "OrganizationExport",
    "OwnedModel",
    "OwnedQuerySet",
    "RecoveryCode",
    "TotpDevice",
    "User",
    "consent_file_name",
]
