"""Two-factor sign-in of the user: switch it on, off, and renew the recovery codes."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import IsPerson
from accounts.endpoints import Endpoint
from accounts.models import TotpDevice
from accounts.services import sessions, two_factor
from livestudio.common.throttles import SignInThrottle


class TotpSerializer(serializers.Serializer[Any]):
    """Whether codes are asked for."""

    is_on = serializers.BooleanField()
    since = serializers.DateTimeField(allow_null=True)
    recovery_codes_left = serializers.IntegerField()


class EnrolmentSerializer(serializers.Serializer[Any]):
    """For the authenticator app: `qr` is an SVG as a data URI, `secret` what to type instead."""

    secret = serializers.CharField()
    uri = serializers.CharField()
    qr = serializers.CharField()


class RecoveryCodesSerializer(serializers.Serializer[Any]):
    """Shown once. Each signs in once where the app is lost."""

    recovery_codes = serializers.ListField(child=serializers.CharField())


class PasswordSerializer(serializers.Serializer[Any]):
    password = serializers.CharField(max_length=128, write_only=True, trim_whitespace=False)


class CodeSerializer(serializers.Serializer[Any]):
    code = serializers.CharField(max_length=20, write_only=True)


class PasswordAndCodeSerializer(PasswordSerializer, CodeSerializer):
    """Both steps of a sign-in."""


class PersonEndpoint(Endpoint):
    """What a person does with their own sign-in; guesses are counted."""

    permission_classes = (IsPerson,)
    throttle_classes = (SignInThrottle,)
    answers_hold_secrets = True

    def require_password(self, password: str) -> None:
        """Raises CredentialsInvalidError (401), SignInLockedError (429)."""
        sessions.check_password(
            username=self.user.username,
            password=password,
            address=self.address,
        )


class TotpView(PersonEndpoint):
    @extend_schema(responses={200: TotpSerializer})
    def get(self, request: Request) -> Response:
        """Whether a sign-in of yours asks for a code."""
        device = TotpDevice.objects.filter(user=self.user).exclude(confirmed_at=None).first()
        answer = {
            "is_on": device is not None,
            "since": device.confirmed_at if device else None,
            "recovery_codes_left": two_factor.recovery_codes_left(self.user),
        }
        return self.rendered(TotpSerializer, answer)

    @extend_schema(request=PasswordSerializer, responses={201: EnrolmentSerializer})
    def post(self, request: Request) -> Response:
        """Begin: a secret for your authenticator app. `confirm` switches it on."""
        self.require_password(self.valid(PasswordSerializer)["password"])
        return self.rendered(EnrolmentSerializer, two_factor.enrol(user=self.user), status=201)


class TotpConfirmView(PersonEndpoint):
    @extend_schema(request=CodeSerializer, responses={200: RecoveryCodesSerializer})
    def post(self, request: Request) -> Response:
        """Switch it on with the first code of the app."""
        codes = two_factor.confirm(user=self.user, code=self.valid(CodeSerializer)["code"])
        return self.rendered(RecoveryCodesSerializer, {"recovery_codes": codes})


class TotpOffView(PersonEndpoint):
    @extend_schema(request=PasswordAndCodeSerializer, responses={204: None})
    def post(self, request: Request) -> Response:
        """Switch it off; takes a code of the app or a recovery code."""
        body = self.valid(PasswordAndCodeSerializer)
        self.require_password(body["password"])
        two_factor.require_code(user=self.user, code=body["code"])
        two_factor.switch_off(user=self.user, actor=self.user)
        return Response(status=204)


class RecoveryCodesView(PersonEndpoint):
    @extend_schema(request=CodeSerializer, responses={200: RecoveryCodesSerializer})
    def post(self, request: Request) -> Response:
        """New recovery codes; the old ones are void."""
        code = self.valid(CodeSerializer)["code"]
        codes = two_factor.renew_recovery_codes(user=self.user, code=code)
        return self.rendered(RecoveryCodesSerializer, {"recovery_codes": codes})
