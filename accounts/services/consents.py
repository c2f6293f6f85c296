"""Consents of people whose face or voice is used: put on record, documented, revoked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import hooks
from accounts.audit import record
from accounts.documents import read_document
from accounts.errors import ConsentRevokedError
from accounts.models import Consent, Organization, User
from accounts.roles import SystemActor, require_permission
from livestudio.common.errors import ErrorDetail, InvalidInputError, NotFoundError
from livestudio.common.files import stored
from livestudio.common.locking import lock_row
from livestudio.common.signed_links import signature_of

Actor = User | SystemActor
FIELDS: Final = frozenset({"subject", "scope", "shows", "is_commercial", "territory", "expires_at"})
# Whose it is and for what does not change: that would be another consent.
_FIXED: Final = frozenset({"subject", "scope"})
MANAGE: Final = "organization.manage"


def create_consent(
    *, organization: Organization, values: Mapping[str, Any], actor: Actor
) -> Consent:
    """Put a consent on record. values: of FIELDS. Raises ForbiddenError, InvalidInputError."""
    require_permission(actor, MANAGE, organization)
    consent = Consent(organization=organization)
    with transaction.atomic():
        _write(consent, values)
        data = {"subject": consent.subject, "scope": consent.scope}
        record(actor, "accounts.consent.created", consent, data=data)
    return consent


def update_consent(*, consent: Consent, values: Mapping[str, Any], actor: Actor) -> Consent:
    """Change what it is good for. Raises ForbiddenError, InvalidInputError, ConsentRevokedError."""
    require_permission(actor, MANAGE, consent.organization)
    with transaction.atomic():
        lock_row(consent)
        require_standing(consent)
        for name in sorted(_FIXED & values.keys()):
            if values[name] != getattr(consent, name):
                raise InvalidInputError.of(name, "Make a new record for another person or scope.")
        _write(consent, values)
        record(actor, "accounts.consent.changed", consent, data={"fields": sorted(values)})
    return consent


def attach_document(*, consent: Consent, upload: UploadedFile[Any], actor: Actor) -> Consent:
    """Keep the signed document in the place of an older one. Raises InvalidInputError."""
    require_permission(actor, MANAGE, consent.organization)
    document = read_document(upload)
    content = ContentFile(document.content)
    with ExitStack() as files, transaction.atomic():
        lock_row(consent)
        require_standing(consent)
        old = consent.document.name
        name = files.enter_context(stored(consent.document, f"x.{document.kind}", content))
        consent.document = name
        consent.document_sha256 = document.sha256
        consent.save(update_fields=["document", "document_sha256", "updated_at"])
        record(actor, "accounts.consent.documented", consent, data={"digest": document.sha256})
        if old:
            storage = consent.document.storage
            transaction.on_commit(lambda: storage.delete(old))
    return consent


def revoke_consent(*, consent: Consent, reason: str, actor: Actor) -> Consent:
    """End it for ever; what is on air with it ends at once. Raises ForbiddenError."""
    require_permission(actor, MANAGE, consent.organization)
    with transaction.atomic():
        rows = Consent.objects.filter(pk=consent.pk, revoked_at=None)
        now = timezone.now()
        if rows.update(revoked_at=now, revoke_reason=reason.strip()[:300], updated_at=now):
            record(actor, "accounts.consent.revoked", consent, data={"reason": reason[:300]})
            transaction.on_commit(lambda: _tell_revoked(consent))
    consent.refresh_from_db()
    return consent


def require_standing(consent: Consent) -> None:
    """Raises ConsentRevokedError (409)."""
    if consent.revoked_at is not None:
        raise ConsentRevokedError


def check_consent(
    consent: Consent | None, organization: Organization, scope: str, field: str = "consent"
) -> None:
    """Raises InvalidInputError unless it is the organization's own and for a face, or a voice."""
    if consent is None:
        return
    if consent.organization_id != organization.pk:
        raise InvalidInputError.of(field, _("There is no such consent."), "not_found")
    if consent.scope not in (scope, Consent.Scope.BOTH):
        values = {"scope": consent.get_scope_display(), "person": consent.subject}
        message = _("The consent of %(person)s is for the %(scope)s only.")
        raise InvalidInputError.of(field, message % values, "wrong_scope")


def with_consent(values: dict[str, Any], organization: Organization) -> dict[str, Any]:
    """The consent's row in place of its id; of other organizations none exists.

    Raises InvalidInputError.
    """
    if values.get("consent") is None:
        return values
    rows = Consent.objects.for_organization(organization)
    consent = rows.filter(pk=values["consent"]).first()
    if consent is None:
        raise InvalidInputError.of("consent", _("There is no such consent."), "not_found")
    return {**values, "consent": consent}


def list_shows(organizations: Iterable[Organization]) -> list[hooks.NamedShow]:
    """What a consent can be narrowed to, by title."""
    rows = list(organizations)
    return [show for listed in hooks.LIST_SHOWS for show in listed(rows)]


def document_url(consent: Consent) -> str:
    """The signed path of the document, for owners."""
    path = reverse("consent-file", args=[consent.pk])
    return f"{path}?signature={signature_of('consent', consent.pk)}"


def read_file(consent: Consent) -> bytes:
    """The document as it came. Raises NotFoundError."""
    name = consent.document.name
    if not name or not consent.document.storage.exists(name):
        raise NotFoundError("There is no document (any more).")
    with consent.document.open("rb") as file:
        return bytes(file.read())


def _tell_revoked(consent: Consent) -> None:
    for hook in hooks.CONSENT_REVOKED:
        hook(consent)


def _write(consent: Consent, values: Mapping[str, Any]) -> None:
    for name in FIELDS & values.keys():
        setattr(consent, name, values[name])
    consent.subject = consent.subject.strip()
    consent.shows = [str(key) for key in consent.shows]
    if "shows" in values:
        _check_shows(consent)
    try:
        consent.full_clean()
    except ValidationError as error:
        raise InvalidInputError(
            details=tuple(
                ErrorDetail(field, "invalid", message)
                for field, messages in error.message_dict.items()
                for message in messages
            )
        ) from error
    consent.save()


def _check_shows(consent: Consent) -> None:
    own = {key for find in hooks.FIND_SHOWS for key in find(consent.organization, consent.shows)}
    for index, key in enumerate(consent.shows):
        if key not in own:
            raise InvalidInputError.of(f"shows.{index}", _("There is no such show."), "not_found")
