"""Sign-in, devices, and who am I."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import prefetch_related_objects
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import serializers
from accounts.api.base import PublicEndpoint
from accounts.api.two_factor import PersonEndpoint
from accounts.authentication import (
    DEVICE_COOKIE,
    DEVICE_HEADER,
    REFRESH_COOKIE,
    IsPerson,
    device_id_of,
)
from accounts.endpoints import Endpoint, base_url
from accounts.errors import CrossSiteError, TokenInvalidError
from accounts.models import DeviceSession
from accounts.services import members, passwords, registration, sessions, two_factor, verification
from livestudio.common.errors import InvalidInputError
from livestudio.common.throttles import UserThrottle

_AUTH_PATH = "/api/v1/auth/"
_NO_TOKENS: dict[str, Any] = {"access": None, "refresh": None, "device": None}


class OptionsView(PublicEndpoint):
    throttle_classes = (UserThrottle,)

    @extend_schema(responses={200: serializers.OptionsSerializer})
    def get(self, request: Request) -> Response:
        """What a page for signing in may offer here."""
        answer = {
            "registration": settings.REGISTRATION,
            "email_verification": settings.EMAIL_VERIFICATION,
            "sends_mail": settings.MAIL != "off",
        }
        return self.rendered(serializers.OptionsSerializer, answer)


class RegisterView(PublicEndpoint):
    @extend_schema(
        request=serializers.RegisterSerializer, responses={201: serializers.RegisteredSerializer}
    )
    def post(self, request: Request) -> Response:
        """Open an account: a user, and an organization that they own or are invited to.

        Where the address must be confirmed first, the tokens are null and a mail is on its way.
        """
        body = self.valid(serializers.RegisterSerializer)
        membership = registration.register(
            registration=members.Registration(
                body["username"], body["email"], body["password"], body["organization"]
            ),
            base_url=base_url(request),
            address=self.address,
            invitation=body["invitation"],
        )
        user = membership.user
        answer = {"user": user, "organization": membership.organization, **_NO_TOKENS}
        if verification.is_required() and user.must_verify_email:
            return self.rendered(serializers.RegisteredSerializer, answer, status=201)
        signed_in = sessions.open_session(user=user, device=_device(request, body))
        is_browser = body["client"] == "browser"
        answer |= _tokens(signed_in, is_browser=is_browser)
        response = self.rendered(serializers.RegisteredSerializer, answer, status=201)
        return _with_cookies(response, signed_in) if is_browser else response


class TokenView(PublicEndpoint):
    @extend_schema(
        request=serializers.TokenSerializer, responses={200: serializers.SignInSerializer}
    )
    def post(self, request: Request) -> Response:
        """Sign in on a device."""
        body = self.valid(serializers.TokenSerializer)
        signed_in = sessions.sign_in(
            username=body["username"],
            password=body["password"],
            code=body["code"],
            device=_device(request, body),
            address=self.address,
        )
        return _sign_in_answer(self, signed_in, is_browser=body["client"] == "browser")


class RefreshView(PublicEndpoint):
    @extend_schema(
        request=serializers.RefreshSerializer, responses={200: serializers.SignInSerializer}
    )
    def post(self, request: Request) -> Response:
        """New tokens for the refresh token of the body, else of the browser's cookie."""
        body = self.valid(serializers.RefreshSerializer)
        raw = body.get("refresh")
        is_browser = not raw
        if is_browser:
            _refuse_other_sites(request)
            raw = request.COOKIES.get(REFRESH_COOKIE)
        if not raw:
            raise TokenInvalidError("There is no refresh token. Sign in.")
        signed_in = sessions.refresh_session(
            raw=raw, device_id=device_id_of(request), is_browser=is_browser
        )
        return _sign_in_answer(self, signed_in, is_browser=is_browser)


class LogoutView(Endpoint):
    permission_classes = (IsPerson,)

    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request) -> Response:
        """Sign out of this device; its tokens are refused from now on."""
        assert isinstance(request.auth, DeviceSession)
        sessions.sign_out(session=request.auth)
        response = Response(status=204)
        response.delete_cookie(REFRESH_COOKIE, path=_AUTH_PATH, samesite="Strict")
        return response


class PasswordChangeView(PersonEndpoint):
    @extend_schema(
        request=serializers.PasswordChangeSerializer,
        responses={200: serializers.SignInSerializer},
    )
    def post(self, request: Request) -> Response:
        """Change your password. Every device is signed out; this one gets new tokens."""
        body = self.valid(serializers.PasswordChangeSerializer)
        self.require_password(body["password"])
        two_factor.require_code(user=self.user, code=body["code"])
        assert isinstance(request.auth, DeviceSession)
        device = sessions.device_of(request.auth)
        passwords.change_password(
            user=self.user, password=body["new_password"], address=self.address
        )
        signed_in = sessions.open_session(user=self.user, device=device)
        is_browser = REFRESH_COOKIE in request.COOKIES
        return _sign_in_answer(self, signed_in, is_browser=is_browser)


class DevicesView(Endpoint):
    permission_classes = (IsPerson,)
    serializer_class = serializers.DeviceListSerializer

    @extend_schema(responses={200: serializers.DeviceListSerializer(many=True)})
    def get(self, request: Request) -> Response:
        """The devices that are signed in."""
        rows = DeviceSession.objects.filter(user=self.user, revoked_at=None)
        return self.page(serializers.DeviceListSerializer, rows)


class DeviceView(Endpoint):
    permission_classes = (IsPerson,)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, device_id: str) -> Response:
        """Sign a device out from afar."""
        sessions.sign_out_device(user=self.user, device_id=device_id)
        return Response(status=204)


class MeView(Endpoint):
    @extend_schema(responses={200: serializers.MeSerializer})
    def get(self, request: Request) -> Response:
        """The signed-in user, their organizations and what they may do there."""
        user = self.user
        prefetch_related_objects([user], "memberships__organization")
        return self.rendered(serializers.MeSerializer, user)


def _device(request: Request, body: dict[str, Any]) -> sessions.Device:
    sent = body.get("device_id") or device_id_of(request)
    if sent and not serializers.DEVICE_ID.fullmatch(sent):
        raise InvalidInputError.of(DEVICE_HEADER, serializers.DEVICE_ID_RULE)
    is_browser = body["client"] == "browser"
    return sessions.Device(
        id=sent or sessions.new_device_id(),
        name=body.get("device_name") or request.headers.get("User-Agent", "")[:100],
        is_bound=bool(sent) or is_browser,
    )


def _sign_in_answer(view: Endpoint, signed_in: sessions.SignIn, *, is_browser: bool) -> Response:
    answer = _tokens(signed_in, is_browser=is_browser)
    response = view.rendered(serializers.SignInSerializer, answer)
    return _with_cookies(response, signed_in) if is_browser else response


def _tokens(signed_in: sessions.SignIn, *, is_browser: bool) -> dict[str, Any]:
    return {
        "access": signed_in.access,
        "refresh": None if is_browser else signed_in.refresh,
        "device": signed_in.session,
    }


def _with_cookies(response: Response, signed_in: sessions.SignIn) -> Response:
    lifetime_seconds = int(settings.REFRESH_TOKEN_LIFETIME.total_seconds())
    for name, value, path in (
        (REFRESH_COOKIE, signed_in.refresh, _AUTH_PATH),
        (DEVICE_COOKIE, signed_in.session.device_id, "/api/"),
    ):
        response.set_cookie(
            name,
            value,
            max_age=lifetime_seconds,
            path=path,
            secure=settings.IS_PRODUCTION,
            httponly=True,
            samesite="Strict",
        )
    return response


def _refuse_other_sites(request: Request) -> None:
    """SameSite=Strict does this in browsers of today; the Origin does it in all of them."""
    origin = request.headers.get("Origin")
    if origin is None or origin in settings.CORS_ALLOWED_ORIGINS:
        return
    if urlsplit(origin).netloc != request.get_host():
        raise CrossSiteError
