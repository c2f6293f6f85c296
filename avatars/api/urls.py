"""Addresses of avatars, below /api/v1/."""

from __future__ import annotations

from django.urls import path

from avatars.api import build_views, views

urlpatterns = [
    path("model-servers/", views.ModelServersView.as_view(), name="model-servers"),
    path("avatars/", views.AvatarsView.as_view(), name="avatars"),
    path("avatars/<uuid:avatar_id>/", views.AvatarView.as_view(), name="avatar"),
    path(
        "avatars/<uuid:avatar_id>/preview/",
        views.AvatarPreviewView.as_view(),
        name="avatar-preview",
    ),
    path(
        "avatars/<uuid:avatar_id>/weights/",
        views.AvatarWeightsView.as_view(),
        name="avatar-weights",
    ),
    path("avatars/<uuid:avatar_id>/clips/", views.ClipsView.as_view(), name="avatar-clips"),
    path(
        "avatars/<uuid:avatar_id>/clips/<uuid:clip_id>/",
        views.ClipView.as_view(),
        name="avatar-clip",
    ),
    path(
        "avatars/<uuid:avatar_id>/builds/", build_views.BuildsView.as_view(), name="avatar-builds"
    ),
    path(
        "avatars/<uuid:avatar_id>/builds/<uuid:build_id>/",
        build_views.BuildView.as_view(),
        name="avatar-build",
    ),
    path(
        "avatars/<uuid:avatar_id>/builds/<uuid:build_id>/cancel/",
        build_views.BuildCancelView.as_view(),
        name="avatar-build-cancel",
    ),
    path(
        "avatars/<uuid:avatar_id>/builds/<uuid:build_id>/retry/",
        build_views.BuildRetryView.as_view(),
        name="avatar-build-retry",
    ),
    path(
        "avatars/<uuid:avatar_id>/builds/<uuid:build_id>/bundle/",
        build_views.BuildBundleView.as_view(),
        name="avatar-build-bundle",
    ),
    path(
        "avatars/<uuid:avatar_id>/builds/<uuid:build_id>/use/",
        build_views.BuildUseView.as_view(),
        name="avatar-build-use",
    ),
    path(
        "avatars/<uuid:avatar_id>/builds/<uuid:build_id>/preview/",
        build_views.BuildPreviewView.as_view(),
        name="avatar-build-preview",
    ),
]
