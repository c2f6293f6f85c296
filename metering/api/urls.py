"""Addresses of usage, below /api/v1/."""

from __future__ import annotations

from django.urls import path

from metering.api import views

urlpatterns = [
    path(
        "organizations/<uuid:organization_id>/quota/",
        views.QuotaView.as_view(),
        name="quota",
    ),
    path(
        "organizations/<uuid:organization_id>/usage/",
        views.UsageView.as_view(),
        name="usage",
    ),
    path(
        "organizations/<uuid:organization_id>/usage/broadcasts/",
        views.UsageBroadcastsView.as_view(),
        name="usage-broadcasts",
    ),
    path(
        "organizations/<uuid:organization_id>/usage/csv/",
        views.UsageTableView.as_view(),
        name="usage-csv",
    ),
]
