"""The texts of our mails, in the language of the request that causes them."""

from __future__ import annotations

from django.utils.translation import gettext as _

from accounts.mail import Mail
from accounts.models import Invitation, User


def reset_letter(user: User, link: str) -> Mail:
    """How to set a new password."""
    text = _paragraphs(
        _("Hello %s,") % user.username,
        _("somebody, probably you, wants a new password for your LiveStudio account."),
        _("Open this page within an hour to choose one:") + f"\n{link}",
        _("If it was not you, do nothing: your password stays."),
    )
    return Mail("reset", user.email, _("A new password for LiveStudio"), text)


def verification_letter(user: User, link: str) -> Mail:
    """How to confirm an address."""
    text = _paragraphs(
        _("Hello %s,") % user.username,
        _("please confirm that this address is yours. Open this page within three days:")
        + f"\n{link}",
        _("If you have no account at LiveStudio, do nothing."),
    )
    return Mail("verify", user.email, _("Confirm your address for LiveStudio"), text)


def invitation_letter(invitation: Invitation, link: str) -> Mail:
    """How to join."""
    inviter = invitation.invited_by.username if invitation.invited_by else "LiveStudio"
    text = _paragraphs(
        _("Hello,"),
        _("%(inviter)s invites you to work in “%(organization)s” on LiveStudio, as %(role)s.")
        % {
            "inviter": inviter,
            "organization": invitation.organization.name,
            "role": invitation.get_role_display(),
        },
        _("Open this page within seven days to join:") + f"\n{link}",
        _("If you do not know them, do nothing."),
    )
    return Mail("invite", invitation.email, _("An invitation to LiveStudio"), text)


def _paragraphs(*parts: str) -> str:
    return "\n\n".join(parts) + "\n"
