"""Bodies that are not JSON: session descriptions of WebRTC."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

SDP_MAX_BYTES = 64 * 1024


class _TextParser(BaseParser):
    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> str:
        raw: bytes = stream.read(SDP_MAX_BYTES + 1)
        if len(raw) > SDP_MAX_BYTES:
            raise ParseError(f"The body is larger than {SDP_MAX_BYTES // 1024} KiB.")
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ParseError("The body is not text in UTF-8.") from error


class SdpParser(_TextParser):
    """A session description (RFC 8866)."""

    media_type = "application/sdp"


class CandidatesParser(_TextParser):
    """Trickled ICE candidates (RFC 8840)."""

    media_type = "application/trickle-ice-sdpfrag"
