"""How the OpenAPI schema names operations, and what they take beside their bodies."""

from __future__ import annotations

import re
from typing import Any, Final

from django_filters import rest_framework as filters
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

from livestudio.common.pagination import page_parameters

# Operations that the rule of `OperationSchema.get_operation_id` would name badly.
_NAMES: Final[dict[tuple[str, str], str]] = {
    ("OptionsView", "get"): "get_sign_in_options",
    ("RegisterView", "post"): "register",
    ("TokenView", "post"): "sign_in",
    ("RefreshView", "post"): "refresh_token",
    ("LogoutView", "post"): "sign_out",
    ("DeviceView", "delete"): "sign_out_device",
    ("PasswordChangeView", "post"): "change_password",
    ("PasswordResetView", "post"): "request_password_reset",
    ("PasswordResetConfirmView", "post"): "confirm_password_reset",
    ("VerifyEmailView", "post"): "verify_email",
    ("ResendVerificationView", "post"): "resend_verification",
    ("InvitationLookView", "post"): "look_at_invitation",
    ("InvitationAcceptView", "post"): "accept_invitation",
    ("TotpView", "post"): "begin_totp",
    ("TotpConfirmView", "post"): "confirm_totp",
    ("TotpOffView", "post"): "switch_totp_off",
    ("RecoveryCodesView", "post"): "renew_recovery_codes",
    ("ClipsView", "get"): "list_avatar_clips",
    ("ClipsView", "post"): "create_avatar_clip",
    ("ClipView", "get"): "get_avatar_clip",
    ("ClipView", "delete"): "delete_avatar_clip",
    ("VoicePreviewView", "post"): "preview_voice",
    ("CuesView", "post"): "add_cues",
    ("RundownView", "put"): "reorder_cues",
    ("StartView", "post"): "start_show",
    ("RotateKeyView", "post"): "rotate_output_key",
    ("BroadcastOutputsView", "post"): "add_broadcast_output",
    ("StartOutputView", "post"): "start_broadcast_output",
    ("StopOutputView", "post"): "stop_broadcast_output",
    ("ReplaceKeyView", "post"): "replace_broadcast_output_key",
    ("CalendarAddressView", "post"): "renew_calendar_address",
    ("WhepView", "post"): "join_by_whep",
    ("WhepViewerView", "patch"): "trickle_candidates",
    ("WhepViewerView", "delete"): "leave_whep",
}
_WORD_OF: Final = {
    "get": "get", "post": "create", "put": "replace", "patch": "update", "delete": "delete",
}  # fmt: skip
# By the first part of the address; clients make one class or module of each.
_TAGS: Final = {
    "auth": "Sign-in",
    "me": "Sign-in",
    "organizations": "Organizations",
    "avatars": "Avatars",
    "voices": "Voices",
    "pronunciations": "Voices",
    "shows": "Shows",
    "outputs": "Outputs",
    "pictures": "Pictures",
    "broadcasts": "Broadcasts",
    "recordings": "Broadcasts",
    "ws-tickets": "Watching",
}
# Collections whose rows belong to the organization that the request names.
_OF_ORGANIZATION: Final = re.compile(r"/api/v1/[a-z-]+/$")


class DeviceTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Names our sign-in in the schema: a token, and the device that it is bound to, if it is."""

    target_class = "accounts.authentication.DeviceTokenAuthentication"
    name = ["bearer", "deviceId"]  # noqa: RUF012 - the framework looks for a list

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        return [{"bearer": [], "deviceId": []}, {"bearer": []}]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        told = "The `device_id` of sign-in. Browsers send a cookie in its place."
        device = {"type": "apiKey", "in": "header", "name": "X-Device-Id", "description": told}
        return [{"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}, device]


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Names the keys of programs in the schema."""

    target_class = "accounts.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        told = "`Api-Key ls_…`"
        return {"type": "apiKey", "in": "header", "name": "Authorization", "description": told}


class OperationSchema(AutoSchema):
    """Names that read well in a generated client, filters, and the headers that we honour."""

    def get_operation_id(self) -> str:
        """`list_shows`, `create_show`, `get_show`, or a name of `_NAMES`."""
        view, method = type(self.view).__name__, self.method.lower()
        if name := _NAMES.get((view, method)):
            return name
        noun = re.sub(r"(?<!^)(?=[A-Z])", "_", view.removesuffix("View")).lower()
        if self._is_list_view():
            return f"list_{noun}"
        return f"{_WORD_OF[method]}_{noun.removesuffix('s') if method == 'post' else noun}"

    def get_tags(self) -> list[str]:
        part = self.path.removeprefix("/api/v1/").partition("/")[0]
        return [_TAGS.get(part, part.capitalize())]

    def get_override_parameters(self) -> list[Any]:
        return []

    def get_request_serializer(self) -> Any:
        """A DELETE takes a body only where its handler names one."""
        return None if self.method == "DELETE" else super().get_request_serializer()

    def _get_request_body(self, direction: str = "request") -> Any:
        if self.method != "DELETE" or self.get_request_serializer() is None:
            return super()._get_request_body(direction)  # type: ignore[no-untyped-call]
        # The framework leaves such bodies out, though OpenAPI has them.
        self.method = "POST"
        try:
            return super()._get_request_body(direction)  # type: ignore[no-untyped-call]
        finally:
            self.method = "DELETE"

    def _get_parameters(self) -> list[Any]:
        return [*super()._get_parameters(), *self._headers()]

    def _headers(self) -> list[dict[str, Any]]:
        is_signed_in = {} not in self.get_auth()
        found = []
        if is_signed_in and _OF_ORGANIZATION.match(self.path) and "/me/" not in self.path:
            told = "The organization that is meant; needed by who belongs to several."
            found.append(_header("X-Organization", told, format="uuid"))
        if is_signed_in and self.method == "POST":
            told = "The second request with a key gets the answer of the first."
            found.append(_header("Idempotency-Key", told, minLength=1, maxLength=128))
        if self.method == "GET" and not self._is_file():
            found.append(_header("If-None-Match", "The ETag of what you have: 304 if it is new."))
        elif self.method in ("PUT", "PATCH", "DELETE") and hasattr(self.view, "get"):
            told = "The ETag of what you change: 412 if somebody else changed it."
            found.append(_header("If-Match", told))
        return found

    def _is_file(self) -> bool:
        answers = self.get_response_serializers()
        return isinstance(answers, dict) and any(isinstance(key, tuple) for key in answers)

    def _get_filter_parameters(self) -> list[dict[str, Any]]:
        if not self._is_list_view():
            return []
        filterset = getattr(self.view, "filterset_class", None)
        found = [
            _query(name, item)
            for name, item in (filterset.base_filters if filterset else {}).items()
        ]
        if "ordering" not in page_parameters(self.view):
            return found
        fields = getattr(self.view, "ordering_fields", ("created_at",))
        choices = [word for field in fields for word in (field, f"-{field}")]
        schema = {"type": "string", "enum": choices}
        return [*found, {"in": "query", "name": "ordering", "schema": schema}]


def _header(name: str, told: str, **schema: Any) -> dict[str, Any]:
    of = {"type": "string", **schema}
    return {"in": "header", "name": name, "description": told, "schema": of}


def _query(name: str, item: Any) -> dict[str, Any]:
    schema = _filter_schema(item)
    found = {"in": "query", "name": name, "schema": schema}
    if isinstance(item, filters.BaseInFilter):
        one = {"items": schema, "type": "array"}
        return {**found, "schema": one, "style": "form", "explode": False}
    return found


def _filter_schema(item: Any) -> dict[str, Any]:
    if choices := item.extra.get("choices"):
        return {"type": "string", "enum": [str(choice[0]) for choice in choices]}
    for kind, schema in _FILTER_TYPES.items():
        if isinstance(item, kind):
            return schema
    return {"type": "string"}


_FILTER_TYPES: Final[dict[Any, dict[str, Any]]] = {
    filters.UUIDFilter: {"type": "string", "format": "uuid"},
    filters.BooleanFilter: {"type": "boolean"},
    filters.IsoDateTimeFilter: {"type": "string", "format": "date-time"},
    filters.NumberFilter: {"type": "integer", "minimum": 0},
}
