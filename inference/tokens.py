"""The run token: a runner's right to speak for one broadcast in one lease epoch, for a day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.core import signing

LIFETIME_SECONDS: Final = 24 * 3600
_SALT: Final = "inference.run-token"


class RunTokenError(Exception):
    """The token is forged, too old or not ours."""


@dataclass(frozen=True, slots=True)
class RunClaim:
    """Whom a run token speaks for."""

    broadcast: str
    lease_epoch: int


def make_run_token(broadcast: str, lease_epoch: int) -> str:
    """A new token, valid for LIFETIME_SECONDS."""
    return signing.dumps([broadcast, lease_epoch], salt=_SALT)


def read_run_token(token: str) -> RunClaim:
    """Whom the token speaks for. Raises RunTokenError."""
    try:
        broadcast, lease_epoch = signing.loads(token, salt=_SALT, max_age=LIFETIME_SECONDS)
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise RunTokenError("the run token is not valid") from error
    return RunClaim(str(broadcast), int(lease_epoch))
