"""What happens across apps: lower layers call upwards only through what is written here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from uuid import UUID

from accounts import hooks
from avatars.builtins import give_built_in_avatars
from avatars.bundles import folders_of_bundles, stored_bundles, stored_uploads
from avatars.previews import stored_previews
from avatars.selectors import count_avatars
from metering import hooks as metering_hooks
from metering.services.storage import stored_bytes
from streams import runner_events
from streams.organizations import (
    find_shows,
    folders_of_broadcasts,
    forget_runners_of,
    list_shows,
    what_is_on_air,
)
from streams.poke import poke_sockets
from streams.services.consents import end_broadcasts_of
from streams.services.quotas import count_on_air, tell_broadcasts
from streams.services.storage import stored_pictures, stored_recordings
from streams.services.whep import look_again
from voices.builtins import give_built_in_voices
from voices.selectors import count_voices
from webhooks.services.outbox import enqueue

# Which function turns which event of a runner into rows. Kinds without one are only stored.
RUNNER_EVENTS: Final[dict[str, runner_events.Handler]] = {
    "runner.started": runner_events.runner_started,
    "broadcast.state": runner_events.broadcast_state,
    "broadcast.first_frame": runner_events.first_frame,
    "script.state": runner_events.script_state,
    "cursor": runner_events.cursor_moved,
    "utterance": runner_events.utterance_changed,
    "output": runner_events.output_changed,
    "recording": runner_events.recording_changed,
    "worker": runner_events.worker_changed,
    "speech.made": runner_events.speech_made,
}


# How many there are of what is limited and has no period.
PRESENT: Final[dict[str, Callable[[UUID], int]]] = {
    "concurrent_broadcasts": count_on_air,
    "avatars": count_avatars,
    "voices": count_voices,
    "storage_bytes": stored_bytes,
}


def connect() -> None:
    """Called once when Django has loaded every app."""
    hooks.ORGANIZATION_CREATED[:] = [give_built_in_avatars, give_built_in_voices]
    hooks.ORGANIZATION_OBSTACLES[:] = [what_is_on_air]
    hooks.ORGANIZATION_FOLDERS[:] = [folders_of_broadcasts, folders_of_bundles]
    hooks.ORGANIZATION_DELETED[:] = [forget_runners_of]
    hooks.CONSENT_REVOKED[:] = [end_broadcasts_of]
    hooks.FIND_SHOWS[:] = [find_shows]
    hooks.LIST_SHOWS[:] = [list_shows]
    hooks.SIGN_INS_CHANGED[:] = [poke_sockets, look_again]
    hooks.EVENT_HAPPENED[:] = [enqueue]
    runner_events.set_handlers(RUNNER_EVENTS)
    metering_hooks.QUOTA_WARNED[:] = metering_hooks.QUOTA_REACHED[:] = [tell_broadcasts]
    metering_hooks.PRESENT.update(PRESENT)
    metering_hooks.STORED_FILES[:] = [
        stored_recordings, stored_pictures, stored_previews, stored_bundles, stored_uploads,
    ]  # fmt: skip
