"""One encode, many readers: order, keyframes, overflow."""

from __future__ import annotations

import asyncio
import threading

import pytest

from inference.media.packets import EncodedPacket
from inference.runner.fanout import Hub, Subscription, SubscriptionClosedError

FRAME = 1920
SOUND = 960


def video(number: int, *, key: bool = False, rendition: str = "main") -> EncodedPacket:
    return EncodedPacket("video", number * FRAME, FRAME, key, b"v%d" % number, rendition)


def opus(number: int) -> EncodedPacket:
    return EncodedPacket("opus", number * SOUND, SOUND, True, b"o%d" % number)


@pytest.fixture
def requests() -> list[str]:
    return []


@pytest.fixture
def hub(requests: list[str]) -> Hub:
    return Hub(requests.append)


def read(subscription: Subscription) -> list[bytes]:
    taken = []
    while packet := subscription.take():
        taken.append(packet.data)
    return taken


def test_reader_starts_on_a_keyframe_and_asks_for_one(hub: Hub, requests: list[str]) -> None:
    subscription = hub.subscribe("viewer", {"video:main", "opus"})
    for packet in (video(0), video(1), video(2, key=True), video(3)):
        hub.publish(packet)

    assert requests == ["main"]
    assert read(subscription) == [b"v2", b"v3"]


def test_sound_before_the_first_keyframe_is_not_delivered_and_none_after_is_lost(hub: Hub) -> None:
    subscription = hub.subscribe("viewer", {"video:main", "opus"})
    for number in range(7):  # the sound encoder was faster than the picture's
        hub.publish(opus(number))
    hub.publish(video(2, key=True))
    hub.publish(opus(7))

    assert read(subscription) == [b"v2", b"o4", b"o5", b"o6", b"o7"]


def test_late_sound_of_before_the_keyframe_is_not_delivered(hub: Hub) -> None:
    subscription = hub.subscribe("viewer", {"video:main", "opus"})
    hub.publish(video(2, key=True))
    hub.publish(opus(3))
    hub.publish(opus(4))

    assert read(subscription) == [b"v2", b"o4"]


def test_slow_reader_drops_to_the_next_keyframe(hub: Hub, requests: list[str]) -> None:
    subscription = hub.subscribe("slow", {"video:main"}, capacity_seconds=0.2)
    hub.publish(video(0, key=True))
    for number in range(1, 8):
        hub.publish(video(number))
    hub.publish(video(8, key=True))
    hub.publish(video(9))

    assert read(subscription) == [b"v8", b"v9"]
    assert requests == ["main", "main"]
    assert (subscription.stats.dropped, subscription.stats.overflows) == (6, 1)


def test_jump_of_the_clock_is_no_overflow(hub: Hub) -> None:
    subscription = hub.subscribe("quick", {"video:main"}, capacity_seconds=0.2)
    for packet in (video(0, key=True), video(1), video(500, key=True), video(501)):
        hub.publish(packet)

    assert read(subscription) == [b"v0", b"v1", b"v500", b"v501"]


def test_slow_reader_costs_the_others_nothing(hub: Hub) -> None:
    hub.subscribe("slow", {"video:main"}, capacity_seconds=0.2)
    quick = hub.subscribe("quick", {"video:main"}, capacity_seconds=10)
    for number in range(100):
        hub.publish(video(number, key=number % 50 == 0))

    assert len(read(quick)) == 100
    assert hub.stats()["slow"].dropped > 0
    assert quick.stats.dropped == 0


def test_sound_only_reader_loses_the_oldest(hub: Hub, requests: list[str]) -> None:
    subscription = hub.subscribe("ears", {"opus"}, capacity_seconds=0.06)
    for number in range(10):
        hub.publish(opus(number))

    assert read(subscription) == [b"o7", b"o8", b"o9"]
    assert requests == []


def test_renditions_are_told_apart(hub: Hub) -> None:
    low = hub.subscribe("low", {"video:low"})
    hub.publish(video(0, key=True))
    hub.publish(video(0, key=True, rendition="low"))

    assert len(read(low)) == 1


def test_listener_is_told_of_each_packet_and_of_the_end(hub: Hub) -> None:
    subscription = hub.subscribe("listener", {"opus"})
    told: list[tuple[EncodedPacket | None, EncodedPacket | None]] = []

    def take(packet: EncodedPacket | None) -> None:
        told.append((packet, None if packet is None else subscription.take()))

    subscription.listen(take)
    publisher = threading.Thread(target=hub.publish, args=(opus(1),))
    publisher.start()
    publisher.join()
    hub.close()

    assert told == [(opus(1), opus(1)), (None, None)]
    with pytest.raises(SubscriptionClosedError):
        subscription.take()


class LoopReader:
    """A reader on the test's loop: takes all there is whenever it is called."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self.taken: list[bytes] = []
        self.calls = 0
        self.has_ended = asyncio.Event()
        subscription.call_on(asyncio.get_running_loop(), self._take)

    def _take(self) -> None:
        self.calls += 1
        try:
            while packet := self._subscription.take():
                self.taken.append(packet.data)
        except SubscriptionClosedError:
            self.has_ended.set()

    async def until(self, count: int) -> list[bytes]:
        async with asyncio.timeout(30):
            while len(self.taken) < count:
                await asyncio.sleep(0)
        return self.taken


async def test_reader_on_a_loop_is_called_from_another_thread(hub: Hub) -> None:
    reader = LoopReader(hub.subscribe("viewer", {"opus"}))
    await asyncio.to_thread(hub.publish, opus(1))

    assert await reader.until(1) == [b"o1"]


async def test_many_readers_on_a_loop_are_all_called_in_order(hub: Hub) -> None:
    readers = [LoopReader(hub.subscribe(str(n), {"opus"})) for n in range(20)]
    await asyncio.to_thread(lambda: [hub.publish(opus(number)) for number in range(3)])

    for reader in readers:
        assert await reader.until(3) == [b"o0", b"o1", b"o2"]


async def test_what_came_before_the_reader_is_told_at_once(hub: Hub) -> None:
    subscription = hub.subscribe("viewer", {"opus"})
    hub.publish(opus(1))

    assert await LoopReader(subscription).until(1) == [b"o1"]


async def test_closed_hub_lets_readers_finish(hub: Hub) -> None:
    subscription = hub.subscribe("viewer", {"opus"})
    hub.publish(opus(1))
    hub.close()
    reader = LoopReader(subscription)

    assert await reader.until(1) == [b"o1"]
    await asyncio.wait_for(reader.has_ended.wait(), 30)
    with pytest.raises(SubscriptionClosedError):
        hub.subscribe("late", {"opus"}).take()


def test_closed_subscription_gets_nothing_more(hub: Hub) -> None:
    subscription = hub.subscribe("gone", {"opus"})
    subscription.close()
    hub.publish(opus(1))

    with pytest.raises(SubscriptionClosedError):
        subscription.take()
    assert hub.stats() == {}


@pytest.mark.parametrize("streams", [set(), {"video:main", "video:low"}, {"flac"}])
def test_streams_that_do_not_exist_are_refused(hub: Hub, streams: set[str]) -> None:
    with pytest.raises(ValueError, match="cannot subscribe"):
        hub.subscribe("wrong", streams)


async def test_delivered_packets_call_their_reader_once_and_only_when_it_is_rung(hub: Hub) -> None:
    reader = LoopReader(hub.subscribe("viewer", {"opus"}, start_on_keyframe=False))
    hub.deliver(opus(0))
    hub.deliver(opus(1))
    await asyncio.sleep(0.01)
    assert reader.calls == 0

    hub.wake_readers()

    assert await reader.until(2) == [b"o0", b"o1"]
    assert reader.calls == 1
