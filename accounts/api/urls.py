"""Addresses of sign-in, below /api/v1/."""

from __future__ import annotations

from django.urls import path

from accounts.api import keys, views

urlpatterns = [
    path("auth/register/", views.RegisterView.as_view(), name="register"),
    path("auth/token/", views.TokenView.as_view(), name="token"),
    path("auth/token/refresh/", views.RefreshView.as_view(), name="token-refresh"),
    path("auth/logout/", views.LogoutView.as_view(), name="logout"),
    path("auth/devices/", views.DevicesView.as_view(), name="devices"),
    path("auth/devices/<str:device_id>/", views.DeviceView.as_view(), name="device"),
    path(
        "organizations/<uuid:organization_id>/api-keys/",
        keys.ApiKeysView.as_view(),
        name="api-keys",
    ),
    path(
        "organizations/<uuid:organization_id>/api-keys/<uuid:key_id>/",
        keys.ApiKeyView.as_view(),
        name="api-key",
    ),
    path("me/", views.MeView.as_view(), name="me"),
]
