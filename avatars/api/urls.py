"""Addresses of avatars, below /api/v1/."""

from __future__ import annotations

from django.urls import path

from avatars.api import views

urlpatterns = [
    path("avatars/", views.AvatarsView.as_view(), name="avatars"),
    path("avatars/<uuid:avatar_id>/", views.AvatarView.as_view(), name="avatar"),
    path(
        "avatars/<uuid:avatar_id>/preview/",
        views.AvatarPreviewView.as_view(),
        name="avatar-preview",
    ),
    path("avatars/<uuid:avatar_id>/clips/", views.ClipsView.as_view(), name="avatar-clips"),
    path(
        "avatars/<uuid:avatar_id>/clips/<uuid:clip_id>/",
        views.ClipView.as_view(),
        name="avatar-clip",
    ),
]
