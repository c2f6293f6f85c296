"""Addresses of the pages that our mails link to, below /account/."""

from __future__ import annotations

from django.urls import path

from accounts import pages

# The names are Django's: its own templates link to them, the admin's sign-in too.
urlpatterns = [
    path("password/", pages.ForgottenPasswordView.as_view(), name="admin_password_reset"),
    path(
        "password/sent/",
        pages.LinkSentView.as_view(),
        name="password_reset_done",
    ),
    path(
        "password/<uidb64>/<token>/",
        pages.NewPasswordView.as_view(),
        name="password_reset_confirm",
    ),
    path(
        "password/done/",
        pages.PasswordSetView.as_view(),
        name="password_reset_complete",
    ),
    path("verify/<str:token>/", pages.VerifyEmailPage.as_view(), name="verify_email"),
    path("invitation/<str:token>/", pages.InvitationPage.as_view(), name="invitation"),
]
