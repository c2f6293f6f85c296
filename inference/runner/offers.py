"""What a stranger's offer may cost before it is answered."""

from __future__ import annotations

from typing import Final

from inference.protocol import Json

# Of an offer; a browser that watches has two. The web side refuses more of both, too.
OFFER_MAX_SECTIONS: Final = 8
# Of one viewer, in its offer and trickled.
VIEWER_MAX_CANDIDATES: Final = 100
# Browsers make one for each of their addresses; each is asked for a second in the local network.
HIDDEN_MAX: Final = 8


class UnboundedOfferError(ValueError):
    """The offer has more in it than anybody who watches needs."""


def require_bounded(offer: str) -> None:
    """Raises UnboundedOfferError, with what is too much in words."""
    lines = offer.splitlines()
    sections = [line for line in lines if line.startswith("m=")]
    if len(sections) > OFFER_MAX_SECTIONS:
        raise UnboundedOfferError(f"an offer has at most {OFFER_MAX_SECTIONS} sections of media")
    if any(line.startswith("m=application") for line in sections):
        raise UnboundedOfferError("viewers get sound and pictures; there is no data channel")
    if sum(line.startswith("a=candidate:") for line in lines) > VIEWER_MAX_CANDIDATES:
        raise UnboundedOfferError(f"an offer has at most {VIEWER_MAX_CANDIDATES} candidates")


def take_hidden_candidates(offer: str) -> tuple[str, list[Json]]:
    """(the offer without names of mDNS, those names as trickled candidates).

    The library asks for one name after the other, for a second each, before it goes on with the
    offer: nobody else could join meanwhile. RFC 8828; draft-ietf-mmusic-mdns-ice-candidates.
    """
    kept: list[str] = []
    hidden: list[Json] = []
    mid, index = "0", -1
    for line in offer.splitlines():
        if line.startswith("m="):
            index += 1
            mid = str(index)
        elif line.startswith("a=mid:"):
            mid = line[6:].strip()
        if line.startswith("a=candidate:") and _is_hidden(line):
            hidden.append({"candidate": line[2:], "sdpMid": mid, "sdpMLineIndex": max(0, index)})
        else:
            kept.append(line)
    if hidden:
        # Those that follow may be the ones that lead to the viewer.
        kept = [line for line in kept if not line.startswith("a=end-of-candidates")]
    return "\r\n".join([*kept, ""]), hidden[:HIDDEN_MAX]


def _is_hidden(line: str) -> bool:
    parts = line.split()
    return len(parts) > 4 and parts[4].lower().endswith(".local")
