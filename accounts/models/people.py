"""Users, organizations and what ties them: memberships, invitations, API keys."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar, Self
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, PermissionsMixin, UserManager
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.roles import ALL_PERMISSIONS, PERMISSIONS, Role, roles_with
from accounts.scope import require_in_scope
from livestudio.common.models import BaseModel

USERNAME_PATTERN = r"^[a-z0-9_]{3,20}$"


class AccountManager(UserManager["User"]):
    """Finds users however they write the case of their name."""

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(username=(username or "").strip().lower())


class User(BaseModel, AbstractBaseUser, PermissionsMixin):
    """A person who signs in. `is_staff` follows the roles: those who work may open the admin."""

    username = models.CharField(
        _("username"),
        max_length=20,
        unique=True,
        validators=[
            RegexValidator(
                USERNAME_PATTERN, _("Use 3 to 20 small letters, digits and underscores.")
            )
        ],
    )
    email = models.EmailField(_("email address"), blank=True)
    email_verified_at = models.DateTimeField(_("address confirmed at"), null=True, editable=False)
    # Opened an account while EMAIL_VERIFICATION was required, and has not confirmed the address.
    must_verify_email = models.BooleanField(default=False, editable=False)
    is_active = models.BooleanField(_("active"), default=True)
    is_staff = models.BooleanField(_("may open the admin"), default=False)
    # The user behind an API key: has no password, and one membership with scopes.
    is_machine = models.BooleanField(_("belongs to an API key"), default=False, editable=False)

    objects: ClassVar[AccountManager] = AccountManager()
    # Of one request of the admin: the organization that it is narrowed to.
    focus_id: UUID | None = None

    EMAIL_FIELD = "email"
    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["email"]

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        ordering = ("username",)

    def __str__(self) -> str:
        return self.username

    @classmethod
    def normalize_username(cls, username: str) -> str:
        """Lower-case: MySQL compares without case, SQLite does not."""
        return username.strip().lower()

    def organizations_where(self, permission: str) -> models.QuerySet[Organization]:
        """The organizations in which the user's role allows this; all for a superuser.

        Only the one that the admin works in, where one was chosen (`focus_id`).
        """
        rows = Organization.objects.all()
        if self.focus_id is not None:
            rows = rows.filter(pk=self.focus_id)
        if self.is_superuser:
            return rows
        roles = roles_with(permission)
        return rows.filter(
            pk__in=self.memberships.filter(role__in=roles, scopes__isnull=True).values(
                "organization"
            )
        )

    def permissions_somewhere(self) -> frozenset[str]:
        """What `organizations_where` finds an organization for, in one query."""
        if self.is_superuser:
            return ALL_PERMISSIONS
        rows = self.memberships.filter(scopes__isnull=True)
        if self.focus_id is not None:
            rows = rows.filter(organization=self.focus_id)
        roles = rows.values_list("role", flat=True).distinct()
        return frozenset().union(*(PERMISSIONS[role] for role in roles))

    def clean(self) -> None:
        super().clean()
        self.username = self.normalize_username(self.username)
        self.email = type(self).objects.normalize_email(self.email)


class Organization(BaseModel):
    """The tenant: owns shows, avatars, voices, outputs and everything made with them."""

    created_at = models.DateTimeField(_("made at"), auto_now_add=True, editable=False)
    name = models.CharField(_("name"), max_length=100)
    # An owner asked for its deletion; until then it may be restored.
    delete_after = models.DateTimeField(_("deleted after"), null=True, editable=False)

    class Meta:
        verbose_name = _("organization")
        verbose_name_plural = _("organizations")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class OwnedQuerySet(models.QuerySet[Any]):
    """Rows of organizations. Start every query of a request with one of these."""

    def for_organization(self, organization: Organization) -> Self:
        return self.filter(organization=organization)

    def visible_to(self, user: User) -> Self:
        """Rows of every organization the user belongs to; of all for a superuser."""
        if user.is_superuser:
            return self.all()
        return self.filter(organization__memberships__user=user)


class OwnedModel(BaseModel):
    """Base of every row that belongs to one organization; see `accounts.scope`."""

    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, verbose_name=_("organization"), related_name="+"
    )

    objects: ClassVar[models.Manager[Any]] = OwnedQuerySet.as_manager()

    class Meta:
        abstract = True

    @classmethod
    def from_db(
        cls, db: str | None, field_names: Collection[str], values: Collection[Any], **more: Any
    ) -> Self:
        """Raises ForeignRowError in a request of somebody who is not in its organization."""
        row = super().from_db(db, field_names, values, **more)
        require_in_scope(row)
        return row


class Membership(BaseModel):
    """A user's role in one organization."""

    organization = models.ForeignKey(
        Organization,
        on_delete=models.CASCADE,
        related_name="memberships",
        verbose_name=_("organization"),
    )
    user = models.ForeignKey(
        User, on_delete=models.CASCADE, related_name="memberships", verbose_name=_("user")
    )
    role = models.CharField(_("role"), max_length=20, choices=Role.choices, default=Role.VIEWER)
    # Of an API key: the permissions of the role that it has. Null: all of them.
    scopes = models.JSONField(null=True, editable=False)

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = (
            models.UniqueConstraint(fields=("organization", "user"), name="one_role_per_member"),
        )

    def __str__(self) -> str:
        return f"{self.user} · {self.organization} · {self.get_role_display()}"

    @property
    def permissions(self) -> frozenset[str]:
        """What this member may do here."""
        allowed = PERMISSIONS[self.role]
        return allowed if self.scopes is None else allowed & frozenset(self.scopes)


class InvitationQuerySet(OwnedQuerySet):
    def open(self) -> Self:
        """Invitations that can be accepted now."""
        return self.filter(accepted_at=None, revoked_at=None, expires_at__gt=timezone.now())


class Invitation(OwnedModel):
    """Asks somebody in. Whoever has the link may join once; only its SHA-256 is kept."""

    email = models.EmailField(_("email address"))
    role = models.CharField(_("role"), max_length=20, choices=Role.choices, default=Role.VIEWER)
    hashed = models.CharField(max_length=64, unique=True, editable=False)
    invited_by = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("invited by"),
    )
    expires_at = models.DateTimeField(_("ends at"), editable=False)
    accepted_at = models.DateTimeField(null=True, editable=False)
    accepted_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, editable=False, related_name="+"
    )
    revoked_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[models.Manager[Any]] = InvitationQuerySet.as_manager()

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")

    def __str__(self) -> str:
        return f"{self.email} · {self.organization}"


class ApiKeyQuerySet(OwnedQuerySet):
    def live(self) -> Self:
        """Keys that open something now."""
        in_time = models.Q(expires_at=None) | models.Q(expires_at__gt=timezone.now())
        return self.filter(in_time, revoked_at=None, membership__user__is_active=True)


class ApiKey(OwnedModel):
    """Lets a program use the API for one organization, within the scopes of its membership.

    Of the key itself only the SHA-256 is kept; `prefix` is its beginning, to tell keys apart.
    """

    membership = models.OneToOneField(
        Membership, on_delete=models.CASCADE, related_name="api_key", editable=False
    )
    name = models.CharField(_("name"), max_length=100)
    prefix = models.CharField(_("begins with"), max_length=20, unique=True, editable=False)
    hashed = models.CharField(max_length=64, editable=False)
    created_by = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("made by"),
    )
    expires_at = models.DateTimeField(_("ends at"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used at"), null=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[models.Manager[Any]] = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def scopes(self) -> list[str]:
        """What the key may do, of `accounts.roles`."""
        return list(self.membership.scopes or ())
