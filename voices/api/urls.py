"""Addresses of voices and readings, below /api/v1/."""

from __future__ import annotations

from django.urls import path

from voices.api import pronunciations, views

urlpatterns = [
    path("voices/", views.VoicesView.as_view(), name="voices"),
    path("voices/<uuid:voice_id>/", views.VoiceView.as_view(), name="voice"),
    path("voices/<uuid:voice_id>/preview/", views.VoicePreviewView.as_view(), name="voice-preview"),
    path("pronunciations/", pronunciations.PronunciationsView.as_view(), name="pronunciations"),
    path(
        "pronunciations/<uuid:pronunciation_id>/",
        pronunciations.PronunciationView.as_view(),
        name="pronunciation",
    ),
]
