"""What is taken from somebody who wants to watch, before a runner hears of it."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.utils.crypto import salted_hmac

from livestudio.common.errors import InvalidInputError
from livestudio.common.networks import is_of_a_network
from livestudio.common.places import Places

# As runners have them (inference/runner/offers.py); what is refused here does not reach one.
OFFER_MAX_SECTIONS: Final = 8
VIEWER_MAX_CANDIDATES: Final = 100
# Each waits for a runner on a thread of this process, for seconds when that does not answer.
OFFERS_WAITING: Final = Places(each=10, total=max(1, settings.WEB_THREADS // 2))


def require_bounded_offer(sdp: str) -> None:
    """Raises InvalidInputError for more sections or candidates than anybody needs."""
    lines = sdp.splitlines()
    if sum(line.startswith("m=") for line in lines) > OFFER_MAX_SECTIONS:
        raise InvalidInputError(f"An offer has at most {OFFER_MAX_SECTIONS} sections of media.")
    if sum(line.startswith("a=candidate:") for line in lines) > VIEWER_MAX_CANDIDATES:
        raise InvalidInputError(f"An offer has at most {VIEWER_MAX_CANDIDATES} candidates.")


def source_of(address: str) -> str:
    """What stands for a network address at the runner, which shares its places out by it.

    "" = unknown: this machine itself is no viewer, but whoever comes by a proxy that does not tell
    addresses.
    """
    if not is_of_a_network(address):
        return ""
    return salted_hmac("streams.viewer", address).hexdigest()[:16]
