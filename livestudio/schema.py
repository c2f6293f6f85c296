"""What the OpenAPI schema says beyond the views: how to sign in, and the one error form."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

from livestudio.common.errors import error_codes

_METHODS = frozenset({"get", "post", "put", "patch", "delete"})


class DeviceTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Names our sign-in in the schema."""

    target_class = "accounts.authentication.DeviceTokenAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Names the keys of programs in the schema."""

    target_class = "accounts.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        described = "`Api-Key ls_…`"
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": described,
        }


def add_error_form(
    result: dict[str, Any], generator: Any, request: Any, public: bool
) -> dict[str, Any]:
    """Every operation answers a refusal in the one error form, `code` from one list."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas["Error"] = _error_schema()
    answer = {
        "description": "A refusal, in the one error form.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    for path in result.get("paths", {}).values():
        for method, operation in path.items():
            if method in _METHODS:
                operation.setdefault("responses", {}).setdefault("default", answer)
    return result


def _error_schema() -> dict[str, Any]:
    text = {"type": "string"}
    detail = {
        "type": "object",
        "required": ["field", "code", "message"],
        "properties": {"field": text, "code": text, "message": text},
    }
    error = {
        "type": "object",
        "required": ["code", "message", "details"],
        "properties": {
            "code": {"type": "string", "enum": list(error_codes())},
            "message": text,
            "details": {"type": "array", "items": detail},
        },
    }
    return {"type": "object", "required": ["error"], "properties": {"error": error}}
