"""What an offer may hold, and what is taken out of it before the library reads it."""

from __future__ import annotations

import pytest

from inference.runner.offers import (
    HIDDEN_MAX,
    UnboundedOfferError,
    require_bounded,
    take_hidden_candidates,
)

HEAD = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:sound\r\n"
PLAIN = "a=candidate:1 1 udp 2122260223 192.0.2.1 5000 typ host"
HIDDEN = "a=candidate:2 1 udp 2122260223 0b6b1c2e-5e0c-4a43-9b3c-000000000000.local 5000 typ host"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("m=video 9 UDP/TLS/RTP/SAVPF 96\r\n" * 8, "sections"),
        ("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n", "data channel"),
        (f"{PLAIN}\r\n" * 101, "candidates"),
    ],
)
def test_offer_with_more_than_a_viewer_needs_is_refused(more: str, words: str) -> None:
    with pytest.raises(UnboundedOfferError, match=words):
        require_bounded(HEAD + more)


def test_offer_of_a_browser_is_within_bounds() -> None:
    require_bounded(HEAD + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n" + f"{PLAIN}\r\n" * 30)


def test_names_of_mdns_are_taken_out_with_their_section() -> None:
    offer = f"{HEAD}{PLAIN}\r\n{HIDDEN}\r\na=end-of-candidates\r\n"

    rest, hidden = take_hidden_candidates(offer)

    assert rest == f"{HEAD}{PLAIN}\r\n"
    assert hidden == [{"candidate": HIDDEN[2:], "sdpMid": "sound", "sdpMLineIndex": 0}]


def test_offer_without_names_stays_as_it_is() -> None:
    offer = f"{HEAD}{PLAIN}\r\na=end-of-candidates\r\n"

    assert take_hidden_candidates(offer) == (offer, [])


def test_few_names_are_looked_up() -> None:
    assert len(take_hidden_candidates(HEAD + f"{HIDDEN}\r\n" * 100)[1]) == HIDDEN_MAX
