"""Media tracks that hand coded packets to a viewer's sender: encoded once, sent to every viewer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from aiortc import MediaStreamTrack

from inference.media.packets import EncodedPacket


class PacketSource(Protocol):
    """A bounded subscription that tells its reader when there is something to take."""

    def call_on(self, loop: asyncio.AbstractEventLoop, on_packets: Callable[[], None]) -> None:
        """Call this on a loop, once for all that came."""

    def take(self) -> EncodedPacket | None:
        """The next packet if one is there. Raises EOFError once closed and empty."""

    def close(self) -> None: ...


OpenSource = Callable[[], tuple[PacketSource, bytes]]


class PacketTrack(MediaStreamTrack):
    """One viewer's track. Its source is opened when the sender starts, when DTLS is up.

    parameter_sets: Annex B of the source, once it is open; b"" for sound.
    """

    def __init__(self, kind: str, open_source: OpenSource) -> None:
        super().__init__()
        self.kind = kind
        self._open = open_source
        self._source: PacketSource | None = None
        self._attach: Callable[[PacketSource], None] | None = None
        self.parameter_sets = b""

    def start(self, attach: Callable[[PacketSource], None]) -> None:
        """Open the source. attach(source): has its reader told of packets; again after a switch."""
        self._attach = attach
        self._open_source()

    def switch(self, open_source: OpenSource) -> None:
        """Go on with another source from its next keyframe, also after a pause."""
        self.pause()
        self._open = open_source
        if self._attach is not None:
            self._open_source()

    def pause(self) -> None:
        """Send nothing until a `switch`."""
        before, self._source = self._source, None
        if before is not None:
            before.close()

    def take(self) -> EncodedPacket | None:
        """The next packet if one is there. Raises EOFError at the end."""
        if self.readyState != "live":
            raise EOFError("the track has ended")
        return None if self._source is None else self._source.take()

    async def recv(self) -> Any:
        """Never called: the sender takes packets, not frames."""
        raise NotImplementedError

    def stop(self) -> None:
        if self._source is not None:
            self._source.close()
        super().stop()

    def _open_source(self) -> None:
        if self.readyState != "live":
            return
        assert self._attach is not None
        self._source, self.parameter_sets = self._open()
        self._attach(self._source)
