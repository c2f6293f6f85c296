"""Rows to measure the API with, written into the database of a site; prints what the load needs.

`python -m benchmarks.api_rows ORGANIZATIONS SHOWS` with the environment of the site.
"""

from __future__ import annotations

import json
import os
import sys

import django


def main(organizations: int, shows: int) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "livestudio.settings")
    django.setup()
    # The models must be loaded before these are imported.
    from accounts.models import User
    from accounts.services import members, sessions
    from avatars.models import Avatar
    from inference.tokens import make_run_token
    from streams.models import Broadcast, BroadcastState, Cue, Show
    from streams.services.lifecycle import start_broadcast
    from voices.models import Voice

    customers = []
    for number in range(organizations):
        owner = User.objects.create(username=f"owner{number}", email=f"o{number}@example.org")
        organization = members.create_organization(name=f"Studio {number}", owner=owner)
        device = sessions.Device(id=f"device-{number}", name="load", is_bound=False)
        token = sessions.open_session(user=owner, device=device).access
        avatar = Avatar.objects.filter(organization=organization)[0]
        voice = Voice.objects.filter(organization=organization)[0]
        rows = Show.objects.bulk_create(
            Show(
                organization=organization, title=f"Show {n}", avatar=avatar, voice=voice,
                visibility="public",
            )
            for n in range(shows // organizations)
        )  # fmt: skip
        Cue.objects.bulk_create(
            Cue(show=show, position=position, text=f"Sentence {position} of {show.title}.")
            for show in rows
            for position in range(5)
        )
        customers.append({"token": token, "shows": [str(show.pk) for show in rows]})
    show = Show.objects.get(pk=customers[0]["shows"][0])
    owner = User.objects.get(username="owner0")
    broadcast = start_broadcast(show=show, actor=owner)
    Broadcast.objects.update(state=BroadcastState.LIVE, lease_epoch=1)
    run = {"broadcast": str(broadcast.pk), "token": make_run_token(str(broadcast.pk), 1)}
    json.dump({"customers": customers, "run": run}, sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
