"""The refusals of this app, in words a host understands."""

from __future__ import annotations

from livestudio.common.errors import (
    ConflictError,
    DomainError,
    InvalidInputError,
    UnavailableError,
)


class BroadcastAlreadyLiveError(ConflictError):
    """The show is on air already; one airing at a time."""

    code = "already_live"
    message = "This show is on air already. Stop that broadcast first."


class NotLiveError(ConflictError):
    """The broadcast has ended, or is not on air yet."""

    code = "not_live"
    message = "This broadcast is not on air."


class ShowNotReadyError(InvalidInputError):
    """The show cannot go on air as it is; `details` says what to change."""

    code = "show_not_ready"
    message = "This show cannot go on air yet; `details` says what to change."


class RunnerUnreachableError(UnavailableError):
    """The runner did not answer in time; the command stays queued until its deadline."""

    code = "runner_unreachable"
    message = (
        "The presenter's process has not answered yet. The command stays queued and is carried "
        "out if the process comes back within its deadline; otherwise it is dropped."
    )


class CommandFailedError(ConflictError):
    """The runner refused the command."""

    code = "command_failed"
    message = "The presenter's process could not carry out the command."


class OutputInUseError(ConflictError):
    """The output is on air."""

    code = "output_in_use"
    message = "This output is on air. Stop it there first."


class ShowOnAirError(ConflictError):
    """The show is on air, so it cannot be removed."""

    code = "show_on_air"
    message = "This show is on air. Stop the broadcast first."


class OutputAlreadyAddedError(ConflictError):
    """The broadcast has this output already."""

    code = "output_already_added"
    message = "This broadcast has this output already."


class ViewerLimitError(UnavailableError):
    """No more viewers fit on this broadcast."""

    code = "viewer_limit"
    message = "This broadcast has as many viewers as it can serve directly."


class SignInRequiredError(DomainError):
    """The show is private and nobody is signed in."""

    code = "not_authenticated"
    status = 401
    message = "This show is private. Sign in first."


class PictureInUseError(ConflictError):
    """A show or an airing needs the picture."""

    code = "picture_in_use"
    message = "A show uses this picture. Choose another one there first."
