"""What every REST view shares: every refusal in the one error form."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.views.csrf import csrf_failure as render_csrf_page
from django.views.defaults import page_not_found, server_error
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from livestudio.common.errors import DomainError, ErrorDetail, UnavailableError
from livestudio.common.log import get_logger
from livestudio.common.reasons import translate_reason
from livestudio.common.redis_errors import is_redis_down

log = get_logger(__name__)

# Codes of the framework that our contract names differently.
_CODE_OF: Final = {"permission_denied": "forbidden", "error": "bad_request"}


def error_body(
    code: str,
    message: str,
    details: tuple[ErrorDetail, ...] = (),
    data: Mapping[str, Any] | None = None,
) -> dict[str, dict[str, Any]]:
    """The one error form of the contract, in the language of whoever reads it."""
    listed = [
        {"field": d.field, "code": d.code, "message": translate_reason(str(d.message))}
        for d in details
    ]
    more = {} if data is None else {"data": dict(data)}
    told = translate_reason(str(message))
    return {"error": {"code": code, "message": told, "details": listed, **more}}


def handle_exception(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: every refusal in the one form; None for a failure of ours."""
    answer = _answer_to(error)
    if answer is not None:
        set_rollback()
    return answer


def _answer_to(error: Exception) -> Response | None:
    # Down, or being started again.
    if isinstance(error, OperationalError | InterfaceError) or is_redis_down(error):
        log.warning("a server that is needed does not answer", reason=str(error))
        error = UnavailableError(retry_after_seconds=3)
    if isinstance(error, DomainError):
        return _domain_answer(error)
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    elif isinstance(error, ValidationError):
        error = exceptions.ValidationError(_django_messages(error))
    if isinstance(error, exceptions.APIException):
        return _framework_answer(error)
    return None


def _domain_answer(error: DomainError) -> Response:
    body = error_body(error.code, error.message, error.details, error.data)
    answer = Response(body, status=error.status)
    if error.retry_after_seconds is not None:
        answer["Retry-After"] = str(error.retry_after_seconds)
    if error.status == 401:
        answer["WWW-Authenticate"] = 'Bearer realm="api"'
    return answer


def _framework_answer(error: exceptions.APIException) -> Response:
    details: tuple[ErrorDetail, ...] = ()
    code, message = _code_and_message(error)
    if isinstance(error, exceptions.ValidationError):
        details = tuple(flatten_details(error.detail))
        code, message = "invalid", details[0].message if details else "The request is not valid."
    answer = Response(error_body(code, message, details), status=error.status_code)
    wait_seconds = getattr(error, "wait", None)
    if error.status_code in (429, 503):
        answer["Retry-After"] = str(max(1, math.ceil(wait_seconds or 1)))
    if challenge := getattr(error, "auth_header", None):
        answer["WWW-Authenticate"] = challenge
    return answer


def _code_and_message(error: exceptions.APIException) -> tuple[str, str]:
    detail = error.detail
    while isinstance(detail, dict | list):
        detail = next(iter(detail.values() if isinstance(detail, dict) else detail), "")
    code = str(getattr(detail, "code", error.default_code))
    return _CODE_OF.get(code, code), str(detail)


def flatten_details(detail: Any, path: str = "") -> Iterator[ErrorDetail]:
    """One entry per wrong field of DRF's nested error detail; lists are counted from 0."""
    if isinstance(detail, dict):
        for key, value in detail.items():
            part = "" if key == "non_field_errors" else str(key)
            yield from flatten_details(value, f"{path}.{part}".strip("."))
    elif isinstance(detail, list):
        for index, value in enumerate(detail):
            is_nested = isinstance(value, dict | list)
            yield from flatten_details(value, f"{path}.{index}".strip(".") if is_nested else path)
    else:
        yield ErrorDetail(path, str(getattr(detail, "code", "invalid")), str(detail))


def _django_messages(error: ValidationError) -> Any:
    if hasattr(error, "error_dict"):
        return {
            ("non_field_errors" if field == "__all__" else field): messages
            for field, messages in error.message_dict.items()
        }
    return error.messages


def is_api_path(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """handler404: the one error form under /api/, a page elsewhere."""
    if is_api_path(request):
        return JsonResponse(
            error_body("not_found", "There is nothing at this address."), status=404
        )
    return page_not_found(request, exception)


def failed(request: HttpRequest) -> HttpResponseBase:
    """handler500: the one error form under /api/, a page elsewhere. Django has logged why."""
    if is_api_path(request):
        message = "The server failed to answer. The failure was logged."
        return JsonResponse(error_body("internal_error", message), status=500)
    return server_error(request)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """handler400: a request that Django itself refuses (bad host, too large a body)."""
    message = "The request cannot be understood."
    if is_api_path(request):
        return JsonResponse(error_body("bad_request", message), status=400)
    return HttpResponse(message, status=400, content_type="text/plain; charset=utf-8")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    """CSRF_FAILURE_VIEW: the one error form under /api/, Django's page elsewhere."""
    if is_api_path(request):
        message = "The request did not come from a page of this site."
        return JsonResponse(error_body("csrf_failed", message), status=403)
    return render_csrf_page(request, reason)
