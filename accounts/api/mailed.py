"""Forgotten passwords and addresses to confirm: what begins with a mail and ends with its link."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.base import PublicEndpoint
from accounts.endpoints import base_url
from accounts.services import passwords, verification


class EmailSerializer(serializers.Serializer[Any]):
    email = serializers.EmailField(write_only=True)


class TokenOfLinkSerializer(serializers.Serializer[Any]):
    """token: the last part of the link's address."""

    token = serializers.CharField(max_length=500, write_only=True)


class ResetSerializer(TokenOfLinkSerializer):
    """user, token: the last two parts of the link's address."""

    user = serializers.CharField(max_length=100, write_only=True)
    password = serializers.CharField(max_length=128, write_only=True, trim_whitespace=False)


class PasswordResetView(PublicEndpoint):
    @extend_schema(request=EmailSerializer, responses={204: None})
    def post(self, request: Request) -> Response:
        """Mail a link for a new password; the answer is the same if nobody has this address."""
        email = self.valid(EmailSerializer)["email"]
        passwords.request_reset(email=email, base_url=base_url(request))
        return Response(status=204)


class PasswordResetConfirmView(PublicEndpoint):
    @extend_schema(request=ResetSerializer, responses={204: None})
    def post(self, request: Request) -> Response:
        """Set the new password; every device is signed out."""
        body = self.valid(ResetSerializer)
        passwords.reset_password(
            user_id=body["user"],
            token=body["token"],
            password=body["password"],
            address=self.address,
        )
        return Response(status=204)


class VerifyEmailView(PublicEndpoint):
    @extend_schema(request=TokenOfLinkSerializer, responses={204: None})
    def post(self, request: Request) -> Response:
        """Confirm the address of a new account; it may sign in from now on."""
        verification.verify_email(token=self.valid(TokenOfLinkSerializer)["token"])
        return Response(status=204)


class ResendVerificationView(PublicEndpoint):
    @extend_schema(request=EmailSerializer, responses={204: None})
    def post(self, request: Request) -> Response:
        """Mail the link again; the answer is the same if nobody waits for it."""
        email = self.valid(EmailSerializer)["email"]
        verification.resend_verification(email=email, base_url=base_url(request))
        return Response(status=204)
