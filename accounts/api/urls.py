"""Addresses of sign-in, below /api/v1/."""

from __future__ import annotations

from django.urls import path

from accounts.api import keys, two_factor, views

urlpatterns = [
    path("auth/register/", views.RegisterView.as_view(), name="register"),
    path("auth/token/", views.TokenView.as_view(), name="token"),
    path("auth/token/refresh/", views.RefreshView.as_view(), name="token-refresh"),
    path("auth/logout/", views.LogoutView.as_view(), name="logout"),
    path("auth/devices/", views.DevicesView.as_view(), name="devices"),
    path("auth/devices/<str:device_id>/", views.DeviceView.as_view(), name="device"),
    path("auth/totp/", two_factor.TotpView.as_view(), name="totp"),
    path("auth/totp/confirm/", two_factor.TotpConfirmView.as_view(), name="totp-confirm"),
    path("auth/totp/off/", two_factor.TotpOffView.as_view(), name="totp-off"),
    path(
        "auth/totp/recovery-codes/",
        two_factor.RecoveryCodesView.as_view(),
        name="totp-recovery-codes",
    ),
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
