"""What a new installation needs before anybody can sign in: an administrator, an organization."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import transaction

from accounts.models import Organization, User
from accounts.services.members import Registration, create_organization, prepare_user, save_user

ADMIN_NAME: Final = "admin"
ORGANIZATION_NAME: Final = "LiveStudio"
PASSWORD_FILE: Final = "admin_password"  # noqa: S105 - a file name


@dataclass(frozen=True, slots=True)
class Administrator:
    """password: empty when it is not the generated one any more. is_new: made just now."""

    user: User
    organization: Organization
    password: str = field(repr=False)
    is_new: bool


def ensure_administrator() -> Administrator:
    """The first superuser and their organization, made when there is none."""
    user = User.objects.filter(is_superuser=True).order_by("created_at").first()
    if user is None:
        return _create()
    organization = Organization.objects.filter(memberships__user=user).first()
    if organization is None:
        organization = create_organization(name=ORGANIZATION_NAME, owner=user)
    return Administrator(user, organization, _known_password(user), is_new=False)


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user may read, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def _create() -> Administrator:
    password = secrets.token_urlsafe(12)
    registration = Registration(ADMIN_NAME, "", password, ORGANIZATION_NAME)
    user = prepare_user(registration=registration)
    with transaction.atomic():
        save_user(user)
        user.is_superuser = user.is_staff = True
        user.save(update_fields=["is_superuser", "is_staff", "updated_at"])
        organization = create_organization(name=ORGANIZATION_NAME, owner=user)
        write_private(_password_path(), password + "\n")
    return Administrator(user, organization, password, is_new=True)


def _known_password(user: User) -> str:
    try:
        password = _password_path().read_text(encoding="utf-8").strip()
    except OSError:
        return ""
    return password if user.check_password(password) else ""


def _password_path() -> Path:
    return Path(settings.DATA_DIR) / PASSWORD_FILE
