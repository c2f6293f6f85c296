"""What every operation of the OpenAPI schema may refuse with: the one form, by status."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from livestudio.common.errors import codes_by_status, error_codes

Json = dict[str, Any]
_METHODS: Final = frozenset({"get", "post", "put", "patch", "delete"})
_CHANGES: Final = frozenset({"put", "patch", "delete"})
_DESCRIBED: Final = {
    400: "The request is not valid; `details` names the fields.",
    401: "Nobody is signed in, or the sign-in is not valid any more.",
    403: "The role does not allow this, or the site does not.",
    404: "There is no such object, or it belongs to another organization.",
    406: "No video that is sent here is taken by the player.",
    409: "It does not fit the present state.",
    412: "It was changed since the version that `If-Match` names.",
    413: "The body is too large.",
    415: "The body has a content type that is not taken here.",
    416: "The file has no such part.",
    422: "The key was used for another request, or the engine cannot do this.",
    429: "Too many requests; wait for `Retry-After` seconds.",
    500: "The server failed; the failure was logged.",
    503: "Something that is needed is down or full; try again after `Retry-After` seconds.",
}
# Bodies here name what may not be there.
_NAMING_ROWS: Final = ("/ws-tickets/", "/accept/", "/auth/invitation/")
# What an answer may lack; it holds everything else that its schema has.
_MAY_LACK: Final = {
    ("BroadcastAnswer", "runner"),
    ("IceServerAnswer", "username"),
    ("IceServerAnswer", "credential"),
}
_ETAG: Final = {"description": "Names this version.", "schema": {"type": "string"}}
_RETRY_AFTER: Final = {"description": "Seconds to wait.", "schema": {"type": "integer"}}
_REPLAYED: Final = {
    "description": "`true`: this is the answer to the first request with this key.",
    "schema": {"type": "string", "enum": ["true"]},
}


def add_refusals(result: Json, generator: Any, request: Any, public: bool) -> Json:
    """Every operation names the statuses it may refuse with; `code` comes from one list."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})["Error"] = _error_schema()
    components["responses"] = {_name(status): _refusal(status) for status in _DESCRIBED}
    for name, schema in components["schemas"].items():
        if "properties" in schema and not name.endswith("Request") and name != "Error":
            schema["required"] = [
                key for key in schema["properties"] if (name, key) not in _MAY_LACK
            ]
    for path, operations in result.get("paths", {}).items():
        for method, operation in operations.items():
            if method in _METHODS:
                _complete(path, method, operation)
    return result


def _complete(path: str, method: str, operation: Json) -> None:
    answers = operation.setdefault("responses", {})
    names = {item["name"] for item in operation.get("parameters", ())}
    for status, answer in answers.items():
        answer["description"] = answer.get("description") or "Done."
        if "If-None-Match" in names and status == "200":
            answer.setdefault("headers", {})["ETag"] = _ETAG
        if "Idempotency-Key" in names and status.startswith("2"):
            answer.setdefault("headers", {})["Idempotency-Replayed"] = _REPLAYED
    if "If-None-Match" in names:
        headers = {"ETag": _ETAG}
        answers["304"] = {"description": "You have this version.", "headers": headers}
    for status in _refusals(path, method, operation, names):
        answers.setdefault(str(status), {"$ref": f"#/components/responses/{_name(status)}"})
    operation["responses"] = dict(sorted(answers.items()))


def _refusals(path: str, method: str, operation: Json, names: set[str]) -> Iterator[int]:
    """The statuses that the form of an operation makes possible."""
    yield from (400, 401, 403, 429, 500, 503)
    if "{" in path or "X-Organization" in names or path.endswith(_NAMING_ROWS):
        yield 404
    if "requestBody" in operation:
        yield from (413, 415)
    if method == "post":
        yield from (409, 413, 415, 422)
    elif method in _CHANGES:
        yield 409
    if "If-Match" in names:
        yield 412
    if path.endswith("/whep/"):
        yield 406
    if path.endswith("recordings/{recording_id}/file/"):
        yield 416


def _refusal(status: int) -> Json:
    form: Json = {"$ref": "#/components/schemas/Error"}
    codes = ", ".join(f"`{code}`" for code in codes_by_status().get(status, ()))
    described = f"{_DESCRIBED[status]} Codes: {codes}." if codes else _DESCRIBED[status]
    answer: Json = {"description": described, "content": {"application/json": {"schema": form}}}
    if status in (429, 503):
        answer["headers"] = {"Retry-After": _RETRY_AFTER}
    return answer


def _name(status: int) -> str:
    return f"Refused{status}"


def _error_schema() -> Json:
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
            # Facts for programs; of `quota_exceeded`: meter, limit, used, resets_at.
            "data": {"type": "object", "additionalProperties": True},
        },
    }
    return {"type": "object", "required": ["error"], "properties": {"error": error}}
