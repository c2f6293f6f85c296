"""Start, stop and every steering verb through the API."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from avatars.models import Avatar, AvatarClip
from inference.protocol import decode_command
from streams.models import Broadcast, BroadcastState, ControlCommand, Utterance
from streams.services import commands
from streams.services.lifecycle import finish_broadcast
from streams.states import move
from tests.factories import Cast, error_of
from tests.streams.plans import Client, make_output, make_show

CONTRACT_FIELDS = {
    "id", "show", "state", "reason", "started_at", "first_frame_at", "ended_at", "cursor",
    "script", "outputs", "metrics", "thumbnail_url", "watch_url", "runner",
}  # fmt: skip


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A runner that answers whatever a request waits for, as told by this dictionary."""
    answer: dict[str, Any] = {"ok": True, "data": {"utterance": None, "generation": 2}}

    def answer_newest(_seconds: float) -> None:
        newest = ControlCommand.objects.order_by("-created_at")[0]
        commands.finish_command(newest.pk, **answer)

    monkeypatch.setattr(commands.time, "sleep", answer_newest)
    return answer


def command_of(broadcast: Broadcast) -> ControlCommand:
    """The only command of a broadcast, which the runner must be able to read."""
    command = broadcast.commands.get()
    decode_command(command.name, command.args)
    return command


def test_start_opens_a_broadcast(cast: Cast, bob: Client) -> None:
    show = make_show(cast.organization, cast.alice)

    answer = bob.post(f"shows/{show.pk}/start/")

    assert answer.status_code == 201, answer.json()
    body = answer.json()
    assert set(body) >= CONTRACT_FIELDS
    assert (body["state"], body["script"], body["runner"]) == ("starting", "running", None)
    assert body["cursor"] == {"cue": None, "sentence": 0, "loop": 0}
    assert body["watch_url"].endswith(f"/watch/{body['id']}/")


def test_start_refuses_second_live_broadcast(cast: Cast, alice: Client) -> None:
    show = make_show(cast.organization, cast.alice)
    alice.post(f"shows/{show.pk}/start/")

    answer = alice.post(f"shows/{show.pk}/start/")

    assert (answer.status_code, error_of(answer)["code"]) == (409, "already_live")
    assert show.broadcasts.count() == 1


def test_show_starts_again_after_its_broadcast_ended(cast: Cast, alice: Client) -> None:
    show = make_show(cast.organization, cast.alice)
    alice.post(f"shows/{show.pk}/start/")
    finish_broadcast(broadcast=show.broadcasts.get(), state="ended")

    assert alice.post(f"shows/{show.pk}/start/").status_code == 201


def test_start_tells_everything_that_is_missing(cast: Cast, alice: Client) -> None:
    show = make_show(cast.organization, cast.alice, cues=[])
    Avatar.objects.filter(pk=show.avatar_id).update(state="building")
    show.outputs.add(make_output(cast.organization, cast.alice, stream_key=""))

    answer = alice.post(f"shows/{show.pk}/start/")

    error = error_of(answer)
    assert (answer.status_code, error["code"]) == (400, "show_not_ready")
    assert {item["field"] for item in error["details"]} == {"cues", "avatar", "outputs"}


def test_show_that_ends_by_hand_needs_no_cue(cast: Cast, alice: Client) -> None:
    show = make_show(cast.organization, cast.alice, cues=[], ends="manual")

    assert alice.post(f"shows/{show.pk}/start/").status_code == 201


def test_idempotency_key_starts_once(cast: Cast, alice: Client) -> None:
    show = make_show(cast.organization, cast.alice)
    key = {"Idempotency-Key": "start-1"}

    first = alice.post(f"shows/{show.pk}/start/", **key)
    second = alice.post(f"shows/{show.pk}/start/", **key)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] == second.json()["id"]


def test_stop_moves_to_stopping_and_orders_the_runner(broadcast: Broadcast, bob: Client) -> None:
    answer = bob.post(f"broadcasts/{broadcast.pk}/stop/", {"when": "now"})

    assert answer.status_code == 202
    broadcast.refresh_from_db()
    assert (broadcast.state, broadcast.desired_state) == ("stopping", "stopped")
    assert command_of(broadcast).args["when"] == "now"


def test_say_answers_at_once_with_a_queued_utterance(broadcast: Broadcast, bob: Client) -> None:
    body = {"text": "欢迎 [wave] 新朋友！", "interrupt": True, "expression": "happy", "emotion": 5}

    answer = bob.post(f"broadcasts/{broadcast.pk}/say/", body)

    assert answer.status_code == 202
    said = answer.json()["utterance"]
    assert said["state"] == "queued"
    command = command_of(broadcast)
    assert command.args["utterance"] == said["id"]
    assert command.args["interrupt"] is True
    rows = bob.get(f"broadcasts/{broadcast.pk}/utterances/").json()["results"]
    assert [(row["id"], row["source"], row["text"]) for row in rows] == [
        (said["id"], "operator", body["text"])
    ]


def test_say_with_the_same_key_is_said_once(broadcast: Broadcast, bob: Client) -> None:
    path, key = f"broadcasts/{broadcast.pk}/say/", {"Idempotency-Key": "k"}

    first = bob.post(path, {"text": "一次。"}, **key)
    second = bob.post(path, {"text": "一次。"}, **key)

    assert first.json() == second.json()
    assert broadcast.commands.count() == 1
    assert Utterance.objects.count() == 1


def test_interrupt_answers_what_the_runner_says(
    broadcast: Broadcast, bob: Client, answering: dict[str, Any]
) -> None:
    answering["data"] = {"utterance": str(uuid4()), "generation": 7}

    answer = bob.post(f"broadcasts/{broadcast.pk}/interrupt/", {"resume_after_seconds": None})

    assert (answer.status_code, answer.json()) == (202, answering["data"])
    assert command_of(broadcast).args == {"resume_after_seconds": None}


def test_interrupt_defaults_to_five_seconds(
    broadcast: Broadcast, bob: Client, answering: dict[str, Any]
) -> None:
    bob.post(f"broadcasts/{broadcast.pk}/interrupt/")

    assert command_of(broadcast).args == {"resume_after_seconds": 5.0}


def test_interrupt_without_an_answer_is_503_and_stays_queued(
    broadcast: Broadcast, bob: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(commands.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(commands.time, "sleep", lambda s: now.__setitem__(0, now[0] + s))

    answer = bob.post(f"broadcasts/{broadcast.pk}/interrupt/")

    error = error_of(answer)
    assert (answer.status_code, error["code"]) == (503, "runner_unreachable")
    assert answer["Retry-After"] == "2"
    assert "排队" in error["message"]
    assert now[0] == pytest.approx(2.0, abs=0.05)
    assert command_of(broadcast).state == "pending"


def test_interrupt_refused_by_the_runner_tells_why(
    broadcast: Broadcast, bob: Client, answering: dict[str, Any]
) -> None:
    answering.clear()
    answering.update(ok=False, error={"code": "busy", "message": "Nothing is being said."})

    answer = bob.post(f"broadcasts/{broadcast.pk}/interrupt/")

    assert answer.status_code == 409
    assert error_of(answer)["message"] == "Nothing is being said."


@pytest.mark.parametrize("verb", ["pause", "resume", "skip"])
def test_script_verbs_order_the_runner(broadcast: Broadcast, bob: Client, verb: str) -> None:
    assert bob.post(f"broadcasts/{broadcast.pk}/{verb}/").status_code == 202

    assert command_of(broadcast).name == verb


@pytest.mark.parametrize(("verb", "name"), [("expression", "laugh"), ("gesture", "heart")])
def test_looks_order_the_runner(broadcast: Broadcast, bob: Client, verb: str, name: str) -> None:
    assert bob.post(f"broadcasts/{broadcast.pk}/{verb}/", {"name": name}).status_code == 202

    assert command_of(broadcast).args == {"name": name}


def test_take_jumps_to_a_cue_of_the_airing(broadcast: Broadcast, bob: Client) -> None:
    cue = broadcast.snapshot["cues"][1]["id"]

    assert bob.post(f"broadcasts/{broadcast.pk}/take/", {"cue": cue}).status_code == 202

    assert command_of(broadcast).args == {"cue": cue}


def test_take_refuses_cues_that_are_not_on_air(
    cast: Cast, broadcast: Broadcast, alice: Client
) -> None:
    path = f"broadcasts/{broadcast.pk}/take/"
    other = make_show(cast.organization, cast.alice).cues.all()[0]
    late = alice.post(f"shows/{broadcast.show_id}/cues/", {"text": "后来的。"}).json()["id"]

    for cue in (str(other.pk), late):
        assert error_of(alice.post(path, {"cue": cue}))["details"][0]["code"] == "unknown_cue"
    assert not broadcast.commands.exists()


def test_clip_plays_a_motion_of_the_presenter(
    cast: Cast, broadcast: Broadcast, bob: Client
) -> None:
    clip = AvatarClip.objects.create(avatar=broadcast.show.avatar, name="Bow", engine_name="bow_1")
    path = f"broadcasts/{broadcast.pk}/clip/"

    assert bob.post(path, {"clip": str(clip.pk)}).status_code == 202
    assert command_of(broadcast).args == {"clip": "bow_1"}
    assert error_of(bob.post(path, {"clip": str(uuid4())}))["details"][0]["code"] == "unknown_clip"


def test_presenter_without_clips_says_so(broadcast: Broadcast, bob: Client) -> None:
    refused = error_of(bob.post(f"broadcasts/{broadcast.pk}/clip/", {"clip": str(uuid4())}))

    (detail,) = refused["details"]
    assert (detail["code"], detail["field"]) == ("unknown_clip", "clip")
    assert detail["message"] == "正在播出的主播没有片段。"
    assert not broadcast.commands.exists()


def test_record_is_kept_for_a_relaunch(broadcast: Broadcast, bob: Client) -> None:
    assert bob.post(f"broadcasts/{broadcast.pk}/record/", {"on": True}).status_code == 202

    broadcast.refresh_from_db()
    assert broadcast.recording_wanted
    assert command_of(broadcast).args == {"on": True}


BAD_BODIES: list[tuple[str, Any, str]] = [
    ("stop", {"when": "later"}, "when"),
    ("stop", {"when": None}, "when"),
    ("say", {}, "text"),
    ("say", {"text": ""}, "text"),
    ("say", {"text": "  \n"}, "text"),
    ("say", {"text": None}, "text"),
    ("say", {"text": ["a"]}, "text"),
    ("say", {"text": "x" * 2001}, "text"),
    ("say", {"text": "a\x00b"}, "text"),
    ("say", {"text": "[dance] hi"}, "text"),
    ("say", {"text": "[pause] hi"}, "text"),
    ("say", {"text": "[wave]"}, "text"),
    ("say", {"text": "hi]"}, "text"),
    ("say", {"text": "hi", "interrupt": "yes"}, "interrupt"),
    ("say", {"text": "hi", "expression": "bored"}, "expression"),
    ("say", {"text": "hi", "gesture": "salute"}, "gesture"),
    ("say", {"text": "hi", "emotion": 0}, "emotion"),
    ("say", {"text": "hi", "emotion": 6}, "emotion"),
    ("say", {"text": "hi", "emotion": True}, "emotion"),
    ("say", {"text": "hi", "emotion": 2.5}, "emotion"),
    ("interrupt", {"resume_after_seconds": -1}, "resume_after_seconds"),
    ("interrupt", {"resume_after_seconds": 601}, "resume_after_seconds"),
    ("interrupt", {"resume_after_seconds": "5"}, "resume_after_seconds"),
    ("interrupt", {"resume_after_seconds": True}, "resume_after_seconds"),
    ("take", {}, "cue"),
    ("take", {"cue": "first"}, "cue"),
    ("take", {"cue": None}, "cue"),
    ("expression", {}, "name"),
    ("expression", {"name": "bored"}, "name"),
    ("expression", {"name": ["happy"]}, "name"),
    ("gesture", {"name": "salute"}, "name"),
    ("clip", {}, "clip"),
    ("clip", {"clip": "bow"}, "clip"),
    ("record", {}, "on"),
    ("record", {"on": 1}, "on"),
    ("record", {"on": None}, "on"),
    ("outputs", {}, "output"),
    ("outputs", {"output": "main"}, "output"),
    ("outputs", {"output": str(uuid4())}, "output"),
    *((verb, body, "") for verb in ("say", "stop", "pause", "skip") for body in ([], "now", 5)),
]


@pytest.mark.parametrize(("verb", "body", "field"), BAD_BODIES)
def test_verb_refuses_bad_body_naming_the_field(
    broadcast: Broadcast, bob: Client, verb: str, body: Any, field: str
) -> None:
    answer = bob.post(f"broadcasts/{broadcast.pk}/{verb}/", body)

    assert answer.status_code == 400, answer.json()
    details = error_of(answer)["details"]
    assert details[0]["field"] == field
    assert details[0]["message"]
    assert not broadcast.commands.exists()
    assert not Utterance.objects.exists()


GOOD_BODIES: dict[str, Any] = {
    "stop": {},
    "say": {"text": "好"},
    "interrupt": {},
    "pause": {},
    "resume": {},
    "skip": {},
    "expression": {"name": "happy"},
    "gesture": {"name": "wave"},
    "record": {"on": True},
}


@pytest.mark.parametrize("verb", GOOD_BODIES)
@pytest.mark.parametrize("state", ["ended", "failed"])
def test_verb_on_a_broadcast_that_is_over_is_not_live(
    broadcast: Broadcast, bob: Client, verb: str, state: Any
) -> None:
    finish_broadcast(broadcast=broadcast, state=state)

    answer = bob.post(f"broadcasts/{broadcast.pk}/{verb}/", GOOD_BODIES[verb])

    assert (answer.status_code, error_of(answer)["code"]) == (409, "not_live")
    assert not broadcast.commands.exists()


def test_viewer_may_look_but_not_steer(broadcast: Broadcast, dora: Client) -> None:
    assert dora.get(f"broadcasts/{broadcast.pk}/").status_code == 200
    assert "runner" not in dora.get(f"broadcasts/{broadcast.pk}/").json()
    for verb, body in GOOD_BODIES.items():
        answer = dora.post(f"broadcasts/{broadcast.pk}/{verb}/", body)
        assert (answer.status_code, error_of(answer)["code"]) == (403, "forbidden")


def test_broadcasts_are_filtered_by_state_and_show(cast: Cast, alice: Client) -> None:
    shows = [make_show(cast.organization, cast.alice, title=str(index)) for index in range(3)]
    ids = [alice.post(f"shows/{show.pk}/start/").json()["id"] for show in shows]
    move(Broadcast.objects.get(pk=ids[0]), BroadcastState.LIVE)
    finish_broadcast(broadcast=Broadcast.objects.get(pk=ids[1]), state="ended")

    def found(**query: str) -> list[str]:
        return [row["id"] for row in alice.get("broadcasts/", **query).json()["results"]]

    assert found() == ids[::-1]
    assert found(state="live") == [ids[0]]
    assert found(state="live,starting") == [ids[2], ids[0]]
    assert found(show=str(shows[1].pk)) == [ids[1]]
    assert found(ordering="started_at") == ids
    for query in ({"state": "on"}, {"show": "x"}, {"ordering": "snapshot"}):
        assert alice.get("broadcasts/", **query).status_code == 400


def test_editing_the_show_does_not_change_the_airing(broadcast: Broadcast, alice: Client) -> None:
    before = broadcast.snapshot["cues"][0]["text"]
    cue = broadcast.snapshot["cues"][0]["id"]

    alice.patch(f"shows/{broadcast.show_id}/cues/{cue}/", {"text": "改了。"})

    body = alice.get(f"broadcasts/{broadcast.pk}/").json()
    assert body["rundown"][0]["text"] == before


def test_keys_that_differ_in_their_capitals_are_two_orders(
    broadcast: Broadcast, bob: Client
) -> None:
    """To MySQL "A1" is "a1"."""
    path = f"broadcasts/{broadcast.pk}/say/"

    first = bob.post(path, {"text": "One."}, **{"Idempotency-Key": "A1"})
    second = bob.post(path, {"text": "Two."}, **{"Idempotency-Key": "a1"})

    assert first.json() != second.json()
    said = [command.args["text"] for command in broadcast.commands.order_by("created_at")]
    assert said == ["One.", "Two."]
