"""The watch websocket: signalling of one viewer, whose place at the runner ends with the socket."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from channels.layers import get_channel_layer

from accounts.models import Membership
from inference.protocol import Live, Signal
from streams.consumers import audience as audience_module
from streams.models import Broadcast, Show
from streams.services import signalling
from streams.services.offers import source_of
from streams.services.signalling import request, tell
from tests.factories import Cast, api_client
from tests.streams.consumers.peers import RunnerPeer, browser, in_database, runner_peer


async def answer_offer(runner: RunnerPeer, kind: str = "answer", **data: Any) -> dict[str, Any]:
    """Let the runner answer the offer that comes next; the offer."""
    offer = await runner.receive("signal")
    await runner.tell(Signal(offer["viewer"], offer["id"], kind, data))
    return offer


async def test_offer_is_answered_by_the_runner(live: Broadcast) -> None:
    async with runner_peer(live) as runner, browser(live, "watch", None) as viewer:
        await runner.hello()
        assert (await viewer.receive())["type"] == "state"
        await viewer.send({"type": "offer", "sdp": "v=0 offer"})
        offer = await answer_offer(runner, sdp="v=0 answer")
        answer = await viewer.receive("answer")

    assert (offer["kind"], offer["data"]["sdp"]) == ("offer", "v=0 offer")
    assert offer["data"]["source"] == source_of("203.0.113.9") != ""
    assert answer["sdp"] == "v=0 answer"


async def test_candidates_pass_both_ways(live: Broadcast) -> None:
    candidate = {"candidate": "candidate:1 1 udp", "sdpMid": "0", "sdpMLineIndex": 0}
    async with runner_peer(live) as runner, browser(live, "watch", None) as viewer:
        await runner.hello()
        await viewer.send({"type": "offer", "sdp": "v=0"})
        offer = await answer_offer(runner, sdp="v=0")
        await viewer.receive("answer")
        await viewer.send({"type": "candidate", **candidate})
        there = await runner.receive("signal")
        await runner.tell(Signal(offer["viewer"], "own", "candidate", candidate))
        back = await viewer.receive("candidate")

    assert (there["kind"], there["data"]) == ("candidate", candidate)
    assert back == {"type": "candidate", **candidate}


@pytest.mark.parametrize("says_bye", [True, False])
async def test_runner_is_told_when_a_viewer_leaves(live: Broadcast, *, says_bye: bool) -> None:
    async with runner_peer(live) as runner:
        await runner.hello()
        async with browser(live, "watch", None) as viewer:
            await viewer.send({"type": "offer", "sdp": "v=0"})
            offer = await answer_offer(runner, sdp="v=0")
            await viewer.receive("answer")
            if says_bye:
                await viewer.send({"type": "bye"})
                await runner.receive("signal")
        if not says_bye:
            bye = await runner.receive("signal")
            assert (bye["viewer"], bye["kind"]) == (offer["viewer"], "bye")
        assert await runner.communicator.receive_nothing(0.1)


async def test_full_house_says_so(live: Broadcast) -> None:
    async with runner_peer(live) as runner, browser(live, "watch", None) as viewer:
        await runner.hello()
        await viewer.send({"type": "offer", "sdp": "v=0"})
        await answer_offer(
            runner, "error", code="viewer_limit", message="20 of 20", retry_after_seconds=7
        )
        error = await viewer.receive("error")

    assert (error["code"], error["message"]) == ("viewer_limit", "20 of 20")
    assert error["retry_after_seconds"] == 7


async def test_viewer_hears_which_step_failed_later(live: Broadcast) -> None:
    async with runner_peer(live) as runner, browser(live, "watch", None) as viewer:
        await runner.hello()
        await viewer.send({"type": "offer", "sdp": "v=0"})
        offer = await answer_offer(runner, sdp="v=0")
        await viewer.receive("answer")
        weak = {"state": "live", "rendition": "low", "reason": "the network is weak: 360p"}
        await runner.tell(Signal(offer["viewer"], "", "state", weak))
        lost = {"code": "ice_failed", "message": "no connection within 15 s"}
        await runner.tell(Signal(offer["viewer"], "", "error", lost))
        error = await viewer.receive("error")

    told = [message["reason"] for message in viewer.kept if message["type"] == "state"]
    assert told == ["", "the network is weak: 360p"]
    assert (error["code"], error["message"]) == ("ice_failed", "no connection within 15 s")


async def test_silent_runner_is_a_signalling_error(
    live: Broadcast, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hurry(*args: Any, **options: Any) -> Any:
        return await request(*args, **options, timeout_seconds=0.05)

    monkeypatch.setattr(signalling, "request", hurry)
    async with browser(live, "watch", None) as viewer:
        await viewer.send({"type": "offer", "sdp": "v=0"})
        assert (await viewer.receive("error"))["code"] == "signalling"


async def test_offer_to_a_broadcast_that_is_over_is_not_live(live: Broadcast) -> None:
    await Broadcast.objects.filter(pk=live.pk).aupdate(state="ended")
    async with browser(live, "watch", None) as viewer:
        assert (await viewer.receive("state"))["state"] == "ended"
        await viewer.send({"type": "offer", "sdp": "v=0"})
        assert (await viewer.receive("error"))["code"] == "not_live"


async def test_viewer_hears_state_captions_and_lips_only(live: Broadcast) -> None:
    async with runner_peer(live) as runner, browser(live, "watch", None) as viewer:
        await runner.hello()
        await viewer.receive("state")
        await runner.tell(Live("caption", {"utterance": "u", "text": "hi", "start_ms": 0,
                                           "end_ms": 9}))  # fmt: skip
        await runner.tell(Live("viseme", {"utterance": "u", "start_ms": 0, "items": []}))
        secret = {"id": "5" * 32, "source": "script", "text": "s", "generation": 1}
        await runner.emit(runner.event("utterance", **secret, state="queued"))
        await runner.emit(runner.event("broadcast.state", state="stopping", reason="over"))
        heard = [await viewer.receive() for _ in range(3)]

    assert [message["type"] for message in heard] == ["caption", "viseme", "state"]
    assert heard[2] == {
        "type": "state",
        "state": "stopping",
        "reason": "over",
        "script": None,
        "record": None,
    }


@pytest.mark.parametrize("text", ["{", '{"type": "command"}', '{"type": "offer"}'])
async def test_bad_text_is_answered_and_the_socket_stays(live: Broadcast, text: str) -> None:
    async with browser(live, "watch", None) as viewer:
        await viewer.receive("state")
        await viewer.communicator.send_to(text_data=text)
        assert (await viewer.receive("error"))["code"] == "invalid"
        await viewer.send({"type": "bye"})
        assert await viewer.communicator.receive_nothing(0.05)


async def test_private_show_needs_a_member(live: Broadcast, cast: Cast) -> None:
    await Show.objects.filter(pk=live.show_id).aupdate(visibility="private")
    async with browser(live, "watch", None) as nobody:
        assert await nobody.close_code() == 4401
    async with browser(live, "watch", cast.charlie) as outsider:
        assert await outsider.close_code() == 4404
    async with browser(live, "watch", cast.bob) as member:
        assert (await member.receive())["type"] == "state"


async def test_show_made_private_loses_those_who_are_no_members(
    live: Broadcast, cast: Cast
) -> None:
    async with (
        browser(live, "watch", None) as nobody,
        browser(live, "watch", cast.charlie) as outsider,
        browser(live, "watch", cast.bob) as member,
    ):
        for viewer in (nobody, outsider, member):
            await viewer.receive("state")

        await in_database(set_visibility_by_api, cast, live, "private")

        assert await nobody.close_code() == 4401
        assert await outsider.close_code() == 4404
        assert (await member.receive("state"))["state"] == "live"


async def test_show_made_private_leaves_no_picture_to_who_is_no_member(
    live: Broadcast, cast: Cast
) -> None:
    async with runner_peer(live) as runner:
        await runner.hello()
        async with browser(live, "watch", None) as nobody:
            await nobody.send({"type": "offer", "sdp": "v=0"})
            offer = await answer_offer(runner, sdp="v=0")
            await nobody.receive("answer")

            await in_database(set_visibility_by_api, cast, live, "private")

            assert await nobody.close_code() == 4401
        bye = await runner.receive("signal")
    assert (bye["kind"], bye["viewer"]) == ("bye", offer["viewer"])


async def test_viewer_who_is_no_member_any_more_hears_nothing_of_a_private_show(
    live: Broadcast, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audience_module, "RECHECK_SECONDS", 0.05)
    await Show.objects.filter(pk=live.show_id).aupdate(visibility="private")
    async with runner_peer(live) as runner, browser(live, "watch", cast.bob) as former:
        await runner.hello()
        await former.receive("state")
        await Membership.objects.filter(user=cast.bob).adelete()
        assert await former.close_code() == 4404

        await runner.tell(Live("caption", {"utterance": "u", "text": "hi", "start_ms": 0,
                                           "end_ms": 9}))  # fmt: skip

        assert await former.communicator.receive_nothing(0.05)


def set_visibility_by_api(cast: Cast, broadcast: Broadcast, visibility: str) -> None:
    client = api_client(cast.alice)
    path = f"/api/v1/shows/{broadcast.show_id}/"
    assert client.patch(path, {"visibility": visibility}).status_code == 200


async def test_late_answer_is_not_taken_for_another_request(live: Broadcast) -> None:
    async with runner_peer(live) as runner:
        await runner.hello()
        with pytest.raises(signalling.RunnerUnreachableError):
            await request(live.pk, "viewer-1", "offer", {"sdp": "1"}, timeout_seconds=0.5)
        late = await runner.receive("signal")
        await tell(live.pk, "viewer-1", "candidate", {})
        later = [(await runner.receive("signal"))["kind"] for _ in range(2)]
        assert later == ["bye", "candidate"]  # who gave up is not left behind as a viewer
        await runner.tell(Signal("viewer-1", late["id"], "answer", {"sdp": "late"}))
        assert await runner.communicator.receive_nothing(0.05)


async def test_answered_request_leaves_no_channel(live: Broadcast) -> None:
    layer: Any = get_channel_layer()
    async with runner_peer(live) as runner:
        await runner.hello()
        before = set(layer.channels)
        asking = asyncio.create_task(request(live.pk, "viewer-1", "offer", {"sdp": "1"}))
        asked = await runner.receive("signal")
        for kind, number in (("answer", asked["id"]), ("candidate", "")):
            await runner.tell(Signal("viewer-1", number, kind, {"sdp": "2"}))
        await asking

        assert set(layer.channels) <= before


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("viewer_limit", 503),
        ("not_live", 409),
        ("no_h264", 406),
        ("bad_offer", 400),
        ("oops", 503),
    ],
)
def test_refusals_have_the_statuses_of_whep(code: str, status: int) -> None:
    signal = Signal("v", "s", "error", {"code": code, "message": "words"})

    with pytest.raises(signalling.DomainError) as refusal:
        signalling.raise_refusal(signal)

    assert (refusal.value.status, refusal.value.message) == (status, "words")
