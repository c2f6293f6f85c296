"""What every answer tells browsers beyond Django's own headers and the content policy."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.deprecation import MiddlewareMixin

# The pages play sound and go full screen; they never ask for a camera, a place or a payment.
_PERMISSIONS: Final = ", ".join(
    [
        *(f"{name}=(self)" for name in ("autoplay", "fullscreen", "picture-in-picture")),
        *(
            f"{name}=()"
            for name in (
                "accelerometer", "camera", "display-capture", "geolocation", "gyroscope",
                "magnetometer", "microphone", "midi", "payment", "usb",
            )
        ),
    ]
)  # fmt: skip


class BrowserHeadersMiddleware(MiddlewareMixin):
    """`Permissions-Policy` and `Cross-Origin-Resource-Policy` on every answer."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """The answer with both headers."""
        response.headers.setdefault("Permissions-Policy", _PERMISSIONS)
        response.headers.setdefault(
            "Cross-Origin-Resource-Policy",
            "cross-origin" if _is_embeddable(request, response) else "same-origin",
        )
        return response


def _is_embeddable(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Thumbnails and recordings have signed addresses, so that customers' own pages show them."""
    kind = response.headers.get("Content-Type", "")
    return request.path.startswith("/api/") and kind.startswith(("image/", "video/"))
