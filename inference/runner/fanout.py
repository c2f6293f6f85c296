"""Fan-out: the same coded packets for every output and viewer; a slow reader never slows the rest.

The threads that encode publish. A subscription tells its reader that there is something to take, on
the thread that published it (`listen`) or on an event loop (`call_on`).
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from inference.media.packets import EncodedPacket
from inference.protocol import SAMPLE_RATE_HZ

# Sound that was encoded before the keyframe it belongs behind; the AAC encoder is a block late.
_HELD_SAMPLES: Final = SAMPLE_RATE_HZ // 2


class SubscriptionClosedError(EOFError):
    """The broadcast has ended or the reader has left: nothing follows."""


@dataclass(frozen=True, slots=True)
class SubscriptionStats:
    """dropped: packets thrown away because the reader was slow, in `overflows` goes."""

    delivered: int
    dropped: int
    overflows: int
    queued_packets: int
    queued_seconds: float


def stream_key(packet: EncodedPacket) -> str:
    """The name a subscription asks for: "video:<rendition>", "aac" or "opus"."""
    return f"video:{packet.rendition}" if packet.stream == "video" else packet.stream


class Subscription:
    """One reader's bounded queue.

    capacity: `capacity_seconds` of media. overflow: with a picture, everything is cleared and
    delivery goes on with the next keyframe, which is asked for; with sound only, the oldest goes.
    """

    def __init__(self, hub: Hub, name: str, streams: frozenset[str], capacity_samples: int) -> None:
        self.name = name
        self.streams = streams
        self.rendition = next((s[6:] for s in streams if s.startswith("video:")), None)
        self._hub = hub
        self._capacity = capacity_samples
        self._queue: deque[EncodedPacket] = deque()
        self._queued = dict.fromkeys(streams, 0)  # samples by stream
        self._held: deque[EncodedPacket] = deque()
        self._lock = threading.Lock()
        self._reader: tuple[_Waker, Callable[[], None]] | None = None
        self._is_called = False
        self._on_packet: Callable[[EncodedPacket | None], None] | None = None
        self._awaits_keyframe = False
        self._keyframe_pts = -(1 << 62)
        self._closed = False
        self._delivered = self._dropped = self._overflows = 0

    @property
    def stats(self) -> SubscriptionStats:
        with self._lock:
            return SubscriptionStats(
                self._delivered,
                self._dropped,
                self._overflows,
                len(self._queue),
                self._span() / SAMPLE_RATE_HZ,
            )

    def listen(self, on_packet: Callable[[EncodedPacket | None], None]) -> None:
        """Call this with each packet that can be taken now, on the thread that published it, and
        with None at the end.

        It must not block: encoders wait for it.
        """
        self._on_packet = on_packet

    def call_on(self, loop: asyncio.AbstractEventLoop, on_packets: Callable[[], None]) -> None:
        """Call this on a loop when packets can be taken, once for all that came, and at the end.

        Called on that loop.
        """
        with self._lock:
            self._reader = (self._hub.waker(loop), on_packets)
            if self._queue or self._closed:
                self._call_reader()
        self._hub.wake_readers()

    def take(self) -> EncodedPacket | None:
        """The next packet if one is there. Raises SubscriptionClosedError when closed and empty."""
        with self._lock:
            return self._pop() if self._queue or self._closed else None

    def close(self) -> None:
        """Leave the hub; what is queued can still be read."""
        self._hub.remove(self)
        self.end()

    def push(self, packet: EncodedPacket) -> None:
        """Called by the hub, from encoder threads."""
        with self._lock:
            if self._closed or not self._admit(packet):
                return
            overflowed = self._span() > self._capacity
            if overflowed:
                self._overflow()
            self._call_reader()
        if overflowed:
            self._ask_keyframe()
        if self._on_packet is not None:
            self._on_packet(packet)

    def end(self) -> None:
        """Called by the hub: nothing more will come."""
        with self._lock:
            self._closed = True
            self._call_reader()
        self._hub.wake_readers()
        if self._on_packet is not None:
            self._on_packet(None)

    def wait_for_keyframe(self) -> None:
        """Deliver nothing before the next keyframe of the rendition."""
        with self._lock:
            self._awaits_keyframe = self.rendition is not None

    def _admit(self, packet: EncodedPacket) -> bool:
        """Queue the packet unless it belongs before the keyframe that is waited for."""
        if not self._awaits_keyframe:
            if packet.pts < self._keyframe_pts:
                return False
            self._append(packet)
            return True
        if packet.stream != "video":
            self._hold(packet)
            return False
        if not packet.is_keyframe:
            return False
        self._awaits_keyframe = False
        self._keyframe_pts = packet.pts
        self._append(packet)
        for held in self._held:
            if held.pts >= packet.pts:
                self._append(held)
        self._held.clear()
        return True

    def _hold(self, packet: EncodedPacket) -> None:
        self._held.append(packet)
        while packet.pts - self._held[0].pts > _HELD_SAMPLES:
            self._held.popleft()

    def _span(self) -> int:
        """How much media waits. Not the distance of first and last pts: the clock may jump."""
        return max(self._queued.values())

    def _append(self, packet: EncodedPacket) -> None:
        self._queue.append(packet)
        self._queued[stream_key(packet)] += packet.duration

    def _popleft(self) -> EncodedPacket:
        packet = self._queue.popleft()
        self._queued[stream_key(packet)] -= packet.duration
        return packet

    def _overflow(self) -> None:
        self._overflows += 1
        if self.rendition is not None:
            self._dropped += len(self._queue)
            self._clear()
            return
        while self._span() > self._capacity:
            self._popleft()
            self._dropped += 1

    def _clear(self) -> None:
        self._queue.clear()
        self._queued = dict.fromkeys(self.streams, 0)
        self._held.clear()
        # Drop to the next keyframe: half a GOP shows as smear for seconds.
        self._awaits_keyframe = self.rendition is not None

    def _pop(self) -> EncodedPacket:
        if not self._queue:
            raise SubscriptionClosedError(self.name)
        self._delivered += 1
        return self._popleft()

    def _call_reader(self) -> None:
        if self._reader is None or self._is_called:
            return
        waker, _ = self._reader
        self._is_called = True
        waker.add(self._read)
        if waker.is_dead:
            self._closed = True  # the loop of this reader is gone

    def _read(self) -> None:
        """On the reader's loop."""
        self._is_called = False  # first: what is appended from now on brings its own call
        if self._reader is not None:
            self._reader[1]()

    def _ask_keyframe(self) -> None:
        if self.rendition is not None:
            self._hub.request_keyframe(self.rendition)


class _Waker:
    """Calls readers on one event loop, all that have something to take by one wake.

    A wake costs a write to the loop's pipe: with 20 viewers more than the packets themselves.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._readers: deque[Callable[[], None]] = deque()
        self._called = False
        self.is_dead = False

    def add(self, reader: Callable[[], None]) -> None:
        """Call this one too at the next `ring`."""
        self._readers.append(reader)

    def ring(self) -> None:
        if self._called or not self._readers:
            return
        self._called = True
        try:
            self._loop.call_soon_threadsafe(self._call)
        except RuntimeError:
            self.is_dead = True

    def _call(self) -> None:
        self._called = False  # first: what is appended from now on brings its own call
        while self._readers:
            self._readers.popleft()()


class Hub:
    """Where encoders publish and outputs subscribe. Thread-safe.

    on_keyframe_request: called with the rendition's id, from any thread.
    """

    def __init__(self, on_keyframe_request: Callable[[str], None]) -> None:
        self._on_keyframe_request = on_keyframe_request
        self._lock = threading.Lock()
        self._closed = False
        # Replaced whole, never changed: publishing takes no lock.
        self._subscriptions: tuple[Subscription, ...] = ()
        self._by_stream: dict[str, tuple[Subscription, ...]] = {}
        self._wakers: dict[asyncio.AbstractEventLoop, _Waker] = {}

    def subscribe(
        self,
        name: str,
        streams: set[str] | frozenset[str],
        *,
        capacity_seconds: float = 3.0,
        start_on_keyframe: bool = True,
    ) -> Subscription:
        """A new reader of "video:<rendition>" (at most one), "aac", "opus".

        start_on_keyframe: ask for a keyframe and deliver nothing from before it, sound neither.
        Raises ValueError for streams that do not exist.
        """
        _check_streams(streams)
        capacity = round(capacity_seconds * SAMPLE_RATE_HZ)
        subscription = Subscription(self, name, frozenset(streams), capacity)
        if start_on_keyframe:
            subscription.wait_for_keyframe()
        with self._lock:
            if self._closed:
                subscription.end()
                return subscription
            self._index((*self._subscriptions, subscription))
        if start_on_keyframe and subscription.rendition is not None:
            self.request_keyframe(subscription.rendition)
        return subscription

    def remove(self, subscription: Subscription) -> None:
        """Deliver nothing more to it; unknown ones are ignored."""
        with self._lock:
            self._index(tuple(s for s in self._subscriptions if s is not subscription))

    def is_read(self, stream: str) -> bool:
        """Whether any subscription asked for it. Thread-safe without a lock, as publishing is."""
        return stream in self._by_stream

    def publish(self, packet: EncodedPacket) -> None:
        """Hand a packet to every subscription that asked for its stream."""
        self.deliver(packet)
        self.wake_readers()

    def deliver(self, packet: EncodedPacket) -> None:
        """As `publish`, but readers on a loop are called only after `wake_readers`."""
        for subscription in self._by_stream.get(stream_key(packet), ()):
            subscription.push(packet)

    def wake_readers(self) -> None:
        """Call the readers on loops that got something. Called last before the caller waits itself:
        a loop that wakes earlier only waits for the interpreter that the caller still holds."""
        for waker in tuple(self._wakers.values()):
            waker.ring()

    def request_keyframe(self, rendition: str) -> None:
        """Ask the encoder for a keyframe soon; requests closer than 0.5 s share one."""
        self._on_keyframe_request(rendition)

    def waker(self, loop: asyncio.AbstractEventLoop) -> _Waker:
        """What calls the readers on a loop; called on that loop."""
        return self._wakers.setdefault(loop, _Waker(loop))

    def stats(self) -> dict[str, SubscriptionStats]:
        """By name of the subscription."""
        return {s.name: s.stats for s in self._subscriptions}

    def close(self) -> None:
        """The broadcast has ended: readers get what is queued, then SubscriptionClosedError."""
        with self._lock:
            self._closed = True
            subscriptions = self._subscriptions
            self._index(())
        for subscription in subscriptions:
            subscription.end()

    def _index(self, subscriptions: tuple[Subscription, ...]) -> None:
        streams = {stream for s in subscriptions for stream in s.streams}
        self._by_stream = {
            stream: tuple(s for s in subscriptions if stream in s.streams) for stream in streams
        }
        self._subscriptions = subscriptions


def _check_streams(streams: set[str] | frozenset[str]) -> None:
    videos = [stream for stream in streams if stream.startswith("video:")]
    unknown = streams - {"aac", "opus"} - set(videos)
    if unknown or len(videos) > 1 or not streams:
        raise ValueError(f"cannot subscribe to {', '.join(sorted(streams)) or 'nothing'}")
