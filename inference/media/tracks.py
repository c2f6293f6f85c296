"""Media tracks that hand coded packets to aiortc: encoded once, sent to every viewer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from inference.media.packets import EncodedPacket


class AsyncPacketSource(Protocol):
    """A bounded subscription that a task reads."""

    async def next(self) -> EncodedPacket:
        """The next packet. Raises EOFError once closed."""

    def close(self) -> None: ...


class PacketTrack(MediaStreamTrack):
    """One viewer's track. The source is opened at the first `recv`, when DTLS is up.

    parameter_sets: Annex B of the source, once it is open; b"" for sound.
    """

    def __init__(
        self, kind: str, open_source: Callable[[], tuple[AsyncPacketSource, bytes]]
    ) -> None:
        super().__init__()
        self.kind = kind
        self._open = open_source
        self._source: AsyncPacketSource | None = None
        self.parameter_sets = b""
        self.packets = 0

    def switch(self, open_source: Callable[[], tuple[AsyncPacketSource, bytes]]) -> None:
        """Go on with another source from its next keyframe."""
        before, self._source, self._open = self._source, None, open_source
        if before is not None:
            before.close()

    async def recv(self) -> EncodedPacket:  # type: ignore[override]  # for our own sender
        """The next coded packet, for `RtpSender`. Raises MediaStreamError at the end."""
        while self.readyState == "live":
            if self._source is None:
                self._source, self.parameter_sets = self._open()
            source = self._source
            try:
                packet = await source.next()
            except EOFError:
                if source is not self._source:
                    continue  # switched while waiting
                break
            self.packets += 1
            return packet
        self.stop()
        raise MediaStreamError

    def stop(self) -> None:
        if self._source is not None:
            self._source.close()
        super().stop()
