"""Bodies of sign-in and of the user's own account."""

from __future__ import annotations

import re
from typing import Any

from rest_framework import serializers

from accounts.models import DeviceSession, Membership, Organization, User

DEVICE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
DEVICE_ID_RULE = "Use 1 to 64 letters, digits, dots, dashes and underscores."


class DeviceFields(serializers.Serializer[Any]):
    """client `browser`: refresh token and device id live in HttpOnly cookies."""

    device_id = serializers.CharField(required=False, allow_blank=True, max_length=64)
    device_name = serializers.CharField(required=False, allow_blank=True, max_length=100)
    client = serializers.ChoiceField(choices=["browser", "app"], required=False, default="app")

    def validate_device_id(self, value: str) -> str:
        if value and not DEVICE_ID.fullmatch(value):
            raise serializers.ValidationError(DEVICE_ID_RULE)
        return value


class OptionsSerializer(serializers.Serializer[Any]):
    """registration: who may open an account. sends_mail: forgotten passwords can be set anew."""

    registration = serializers.ChoiceField(choices=["open", "invite", "closed"])
    email_verification = serializers.ChoiceField(choices=["off", "required"])
    sends_mail = serializers.BooleanField()


class RegisterSerializer(DeviceFields):
    username = serializers.CharField(max_length=150)
    email = serializers.EmailField()
    password = serializers.CharField(max_length=128, write_only=True, trim_whitespace=False)
    organization = serializers.CharField(
        max_length=100,
        required=False,
        allow_blank=True,
        default="",
        help_text="The name of your new organization; not needed with an invitation.",
    )
    invitation = serializers.CharField(
        max_length=100,
        required=False,
        allow_blank=True,
        default="",
        write_only=True,
        help_text="The last part of the address in an invitation.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs["invitation"] and not attrs["organization"]:
            message = "Give your organization a name."
            raise serializers.ValidationError({"organization": message})
        return attrs


class TokenSerializer(DeviceFields):
    """code: of the authenticator app, or a recovery code, where two-factor sign-in is on."""

    code = serializers.CharField(required=False, allow_blank=True, max_length=20, default="")
    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=128, write_only=True, trim_whitespace=False)


class PasswordChangeSerializer(serializers.Serializer[Any]):
    """code: where two-factor sign-in is on."""

    password = serializers.CharField(max_length=128, write_only=True, trim_whitespace=False)
    new_password = serializers.CharField(max_length=128, write_only=True, trim_whitespace=False)
    code = serializers.CharField(required=False, allow_blank=True, max_length=20, default="")


class RefreshSerializer(serializers.Serializer[Any]):
    """Empty for browsers: the cookie carries it."""

    refresh = serializers.CharField(required=False, allow_null=True, max_length=2000)


class OrganizationSerializer(serializers.ModelSerializer[Organization]):
    class Meta:
        model = Organization
        fields = ("id", "name")


class UserSerializer(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ("id", "username", "email")


class DeviceSerializer(serializers.Serializer[DeviceSession]):
    id = serializers.CharField(source="device_id", read_only=True)
    name = serializers.CharField(read_only=True)


class DeviceListSerializer(DeviceSerializer):
    current = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField(read_only=True)
    last_used_at = serializers.DateTimeField(read_only=True)

    def get_current(self, session: DeviceSession) -> bool:
        return bool(session == self.context["request"].auth)


class RegisteredSerializer(serializers.Serializer[Any]):
    """The answer of auth/register/. access: null until the address is confirmed."""

    user = UserSerializer()
    organization = OrganizationSerializer()
    access = serializers.CharField(allow_null=True)
    refresh = serializers.CharField(allow_null=True)
    device = DeviceSerializer(allow_null=True)


class SignInSerializer(serializers.Serializer[Any]):
    """The answer of auth/token/ and auth/token/refresh/."""

    access = serializers.CharField()
    refresh = serializers.CharField(allow_null=True)
    device = DeviceSerializer()


class MembershipSerializer(serializers.ModelSerializer[Membership]):
    id = serializers.UUIDField(source="organization.id", read_only=True)
    name = serializers.CharField(source="organization.name", read_only=True)
    permissions = serializers.SerializerMethodField()

    class Meta:
        model = Membership
        fields = ("id", "name", "role", "permissions")

    def get_permissions(self, membership: Membership) -> list[str]:
        return sorted(membership.permissions)


class MeSerializer(UserSerializer):
    organizations = MembershipSerializer(source="memberships", many=True, read_only=True)

    class Meta(UserSerializer.Meta):
        fields = (*UserSerializer.Meta.fields, "is_staff", "organizations")  # type: ignore[assignment]
