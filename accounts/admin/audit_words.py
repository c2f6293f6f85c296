"""The actions of the audit trail in words: `streams.show.created` is read as “Show created”."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django.contrib.admin import AllValuesFieldListFilter
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

OBJECTS: Final = {
    "api_key": _("API key"),
    "consent": _("consent"),
    "device": _("device"),
    "email": _("mail address"),
    "invitation": _("invitation"),
    "membership": _("membership"),
    "organization": _("organization"),
    "password": _("password"),
    "two_factor": _("two-factor sign-in"),
    "user": _("user"),
    "avatar": _("avatar"),
    "build": _("avatar build"),
    "clip": _("avatar clip"),
    "plan": _("plan"),
    "quota": _("quota"),
    "broadcast": _("broadcast"),
    "calendar_address": _("calendar address"),
    "cue": _("cue"),
    "output": _("output"),
    "picture": _("picture"),
    "rundown": _("rundown"),
    "show": _("show"),
    "pronunciation": _("pronunciation"),
    "voice": _("voice"),
    "delivery": _("webhook delivery"),
    "webhook": _("webhook"),
}
VERBS: Final = {
    "created": _("created"),
    "changed": _("changed"),
    "deleted": _("deleted"),
    "revoked": _("revoked"),
    "documented": _("documented"),
    "signed_in": _("signed in"),
    "signed_out": _("signed out"),
    "signed_out_everywhere": _("signed out everywhere"),
    "verified": _("verified"),
    "accepted": _("accepted"),
    "left": _("left"),
    "removed": _("removed"),
    "deletion_requested": _("deletion asked for"),
    "export_requested": _("export asked for"),
    "exported": _("exported"),
    "renamed": _("renamed"),
    "restored": _("restored"),
    "transferred": _("transferred"),
    "reset": _("reset"),
    "recovery_codes_renewed": _("recovery codes renewed"),
    "switched_off": _("switched off"),
    "switched_on": _("switched on"),
    "registered": _("registered"),
    "cancel_asked": _("cancellation asked for"),
    "cancelled": _("cancelled"),
    "failed": _("failed"),
    "finished": _("finished"),
    "started": _("started"),
    "used": _("taken into use"),
    "assigned": _("assigned"),
    "limits_set": _("limits set"),
    "saved": _("saved"),
    "consent_ended": _("ended without consent"),
    "renewed": _("made anew"),
    "ended": _("withdrawn"),
    "key_replaced": _("key replaced"),
    "output_added": _("given another output"),
    "label_off": _("left without a label"),
    "quota_ended": _("ended by quota"),
    "stopped": _("stopped"),
    "added": _("added"),
    "key_rotated": _("key replaced"),
    "reordered": _("reordered"),
    "archived": _("archived"),
    "sent_again": _("sent again"),
    "disabled": _("disabled"),
    "secret_rotated": _("secret replaced"),
    "tested": _("tested"),
}


def describe_action(action: str) -> str:
    """In the reader's language; an action without words stays as it was written."""
    *_rest, thing, verb = ("", *action.split("."))
    if thing not in OBJECTS or verb not in VERBS:
        return action
    parts = {"object": OBJECTS[thing], "verb": VERBS[verb]}
    return capfirst(gettext("%(object)s %(verb)s") % parts)


class ActionFilter(AllValuesFieldListFilter):
    """The actions that occur, in words."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        for choice in super().choices(changelist):
            yield {**choice, "display": describe_action(str(choice["display"]))}
