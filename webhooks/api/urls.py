"""Addresses of webhooks, below /api/v1/."""

from __future__ import annotations

from django.urls import path

from webhooks.api import views

_ALL = "organizations/<uuid:organization_id>/webhooks/"
_ONE = f"{_ALL}<uuid:webhook_id>/"

urlpatterns = [
    path(_ALL, views.WebhooksView.as_view(), name="webhooks"),
    path(_ONE, views.WebhookView.as_view(), name="webhook"),
    path(f"{_ONE}rotate-secret/", views.RotateSecretView.as_view(), name="webhook-rotate-secret"),
    path(f"{_ONE}test/", views.WebhookTestView.as_view(), name="webhook-test"),
    path(f"{_ONE}deliveries/", views.DeliveriesView.as_view(), name="webhook-deliveries"),
    path(
        f"{_ONE}deliveries/<uuid:delivery_id>/redeliver/",
        views.RedeliverView.as_view(),
        name="webhook-redeliver",
    ),
]
