"""HTTP entry points."""

from __future__ import annotations

from csp.decorators import csp_update
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from livestudio import pages

# Swagger's own script sets style attributes; nothing else on this site may.
_docs = csp_update({"style-src": ["'unsafe-inline'"]})(
    SpectacularSwaggerSplitView.as_view(url_name="schema")
)

api_patterns: list[URLPattern | URLResolver] = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", _docs, name="docs"),
    path("", include("accounts.api.urls")),
    path("", include("metering.api.urls")),
    path("", include("webhooks.api.urls")),
    path("", include("avatars.api.urls")),
    path("", include("voices.api.urls")),
    path("", include("streams.api.urls")),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(url="/studio/")),
    path("livez", pages.livez),
    path("readyz", pages.readyz),
    path("metrics", pages.metrics),
    path("admin/", admin.site.urls),
    path("account/", include("accounts.urls")),
    path("api/v1/", include(api_patterns)),
    path("studio/", pages.studio, name="studio"),
    path("studio/<path:path>", pages.studio),
    path("watch/<uuid:target_id>/", pages.watch, name="watch"),
]

handler400 = "livestudio.common.api.bad_request"
handler404 = "livestudio.common.api.not_found"
handler500 = "livestudio.common.api.failed"
