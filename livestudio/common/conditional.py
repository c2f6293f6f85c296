"""ETags (RFC 9110, section 13): 304 for what the client has, 412 for what somebody else changed."""

from __future__ import annotations

import hashlib
from typing import Any

from django.http import HttpResponse, HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import APIView

from livestudio.common.errors import DomainError

# An answer is another one for each of these; no cache but the reader's own may keep it.
_VARIES = ("Authorization", "X-Organization", "Accept-Language", "Cookie")
_CHANGES = frozenset({"PUT", "PATCH", "DELETE"})


class PreconditionFailedError(DomainError):
    """`If-Match` names a version that is not the newest any more."""

    code = "precondition_failed"
    status = 412
    message = "This was changed in the meantime. Read it again, then repeat your change."


class _NotModifiedError(Exception):
    """Carries the ETag past the handler: the client has what it would be answered."""

    def __init__(self, etag: str) -> None:
        super().__init__()
        self.etag = etag


class ConditionalView(APIView):
    """Every JSON answer to a GET has an ETag; `If-None-Match` and `If-Match` are honoured.

    The ETag is of the body, unless `version` says sooner what the body would be.
    """

    _etag: str | None = None

    def version(self, request: Any, **kwargs: Any) -> tuple[Any, ...] | None:
        """What the answer to a GET depends on, where that is cheaper to learn than the answer.

        Raises what the GET would: who may not read learns no version.
        """
        return None

    def answer_sooner(self, request: Any, **kwargs: Any) -> None:
        """Look at If-None-Match before the body is made."""
        version = self.version(request, **kwargs)
        if version is not None:
            self._etag = etag_of(*version)
            if is_named(self._etag, request.headers.get("If-None-Match", "")):
                raise _NotModifiedError(self._etag)

    def require_match(self, request: Any, **kwargs: Any) -> None:
        """Raises PreconditionFailedError (412) where If-Match names an older version."""
        wanted = request.headers.get("If-Match")
        if wanted is None or request.method not in _CHANGES or not hasattr(self, "get"):
            return
        version = self.version(request, **kwargs)
        if version is None:
            version = (JSONRenderer().render(self.get(request, **kwargs).data),)
        if not is_named(etag_of(*version), wanted):
            raise PreconditionFailedError

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, _NotModifiedError):
            return Response(status=304)
        return super().handle_exception(exc)

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        answer = super().finalize_response(request, response, *args, **kwargs)
        if request.method not in ("GET", "HEAD") or not isinstance(answer, Response):
            return answer
        if self._etag is not None and answer.status_code in (200, 304):
            _mark(answer, self._etag)
        elif answer.status_code == 200 and not answer.has_header("ETag"):
            answer.add_post_render_callback(lambda made: by_body(request, made))
        return answer


def etag_of(*parts: Any) -> str:
    """An ETag of a version of something; weak, as the same version may be written otherwise."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part if isinstance(part, bytes) else f"{part}\n".encode())
    return f'W/"{digest.hexdigest()[:32]}"'


def is_named(etag: str, header: str) -> bool:
    """Whether If-Match or If-None-Match names this ETag. Compared weakly: ours are all weak."""
    named = [item.removeprefix("W/") for item in parse_etags(header)]
    return named == ["*"] or etag.removeprefix("W/") in named


def by_body(request: Any, answer: Any) -> HttpResponseBase | None:
    """What to send in place of a rendered answer: 304 if the client has it, else None."""
    etag = etag_of(answer.content)
    _mark(answer, etag)
    if not is_named(etag, request.headers.get("If-None-Match", "")):
        return None
    same = HttpResponse(status=304)
    _mark(same, etag)
    return same


def _mark(answer: HttpResponseBase, etag: str) -> None:
    answer["ETag"] = etag
    if not answer.has_header("Cache-Control"):
        answer["Cache-Control"] = "private, no-cache"
    patch_vary_headers(answer, _VARIES)
