"""What happens across apps: lower layers call upwards only through what is written here."""

from __future__ import annotations

from typing import Final

from accounts import hooks
from avatars.builtins import give_built_in_avatars
from streams import runner_events
from streams.poke import close_sockets
from voices.builtins import give_built_in_voices

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
}


def connect() -> None:
    """Called once when Django has loaded every app."""
    hooks.ORGANIZATION_CREATED[:] = [give_built_in_avatars, give_built_in_voices]
    hooks.SIGN_IN_ENDED[:] = [close_sockets]
    runner_events.set_handlers(RUNNER_EVENTS)
