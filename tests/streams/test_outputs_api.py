"""Outputs through the API: addresses are guarded, keys go in and never come out."""

from __future__ import annotations

from typing import Any

import pytest

from inference.protocol import decode_command
from livestudio.common import vault
from streams.models import Broadcast, BroadcastOutput, Output
from streams.services.lifecycle import finish_broadcast
from streams.services.outputs import add_output
from streams.services.runner_spec import open_command_args, output_spec
from tests.factories import Cast, error_of
from tests.streams.plans import CANARY_KEY, RTMP_URL, Client, make_output, put_live

BODY = {"name": "Main", "url": RTMP_URL, "stream_key": CANARY_KEY}


@pytest.fixture
def row(cast: Cast) -> BroadcastOutput:
    """An output with a key on a live broadcast."""
    output = make_output(cast.organization, cast.alice)
    return put_live(cast, outputs=[output]).outputs.get()


def path_of(row: BroadcastOutput, verb: str) -> str:
    return f"broadcasts/{row.broadcast_id}/outputs/{row.pk}/{verb}/"


def test_post_output_seals_the_key(alice: Client) -> None:
    answer = alice.post("outputs/", BODY)

    assert answer.status_code == 201, answer.json()
    body = answer.json()
    assert "stream_key" not in body
    assert (body["key_hint"], body["has_key"]) == (CANARY_KEY[-4:], True)
    output = Output.objects.get(pk=body["id"])
    assert CANARY_KEY not in output.sealed_stream_key
    assert vault.open_from(output, "sealed_stream_key") == CANARY_KEY


def test_short_key_gives_no_hint(alice: Client) -> None:
    assert alice.post("outputs/", {**BODY, "stream_key": "abc123"}).json()["key_hint"] == ""


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("", "address"),
        ("rtmp://", "host"),
        ("rtmp:///live", "host"),
        ("http://127.0.0.1/live", "rtmp://"),
        ("file:///etc/passwd", "rtmp://"),
        ("rtmp://10.0.0.7/live", "private"),
        ("rtmp://169.254.169.254/live", "metadata"),
        ("rtmp://[::ffff:10.0.0.1]/live", "private"),
        ("rtmp://0x7f.1/live", "IPv4"),
        ("rtmp://name:secret@127.0.0.1/live", "user name"),
        ("rtmp://127.0.0.1:99999/live", "well formed"),
        ("rtmp://127.0.0.1/a b", "blank"),
        ("rtmp://127.0.0.1/live\r\nx", "control"),
        ("rtmp://" + "a" * 500, "500"),
    ],
)
def test_output_refuses_address_and_says_why(alice: Client, url: str, word: str) -> None:
    answer = alice.post("outputs/", {**BODY, "url": url}, **{"Accept-Language": "en"})

    assert answer.status_code == 400
    detail = error_of(answer)["details"][0]
    assert detail["field"] == "url"
    assert word in detail["message"]
    assert not Output.objects.exists()


@pytest.mark.parametrize(
    "key", ["two words", "line\nbreak", " lead", "trail ", "ключ", "x" * 401, 5]
)
def test_output_refuses_key_without_repeating_it(alice: Client, key: Any) -> None:
    answer = alice.post("outputs/", {**BODY, "stream_key": key})

    assert answer.status_code == 400
    assert error_of(answer)["details"][0]["field"] == "stream_key"
    assert isinstance(key, int) or key not in answer.content.decode()


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"kind": "srt"}, "kind"),
        ({"kind": "file", "url": "../evil.mp4"}, "url"),
        ({"kind": "file", "url": "/etc/passwd"}, "url"),
        ({"kind": "file", "url": RTMP_URL}, "url"),
        ({"key_per_broadcast": "yes"}, "key_per_broadcast"),
    ],
)
def test_output_refuses_bad_value(alice: Client, values: dict[str, Any], field: str) -> None:
    answer = alice.post("outputs/", {**BODY, **values})

    assert (answer.status_code, error_of(answer)["details"][0]["field"]) == (400, field)


def test_file_output_takes_a_plain_name(alice: Client) -> None:
    body = {"name": "Disk", "kind": "file", "url": "evening.mp4"}

    assert alice.post("outputs/", body).status_code == 201


def test_file_output_needs_no_name_and_rtmp_an_address(alice: Client) -> None:
    file = alice.post("outputs/", {"name": "Disk", "kind": "file"})
    rtmp = alice.post("outputs/", {"name": "Stage", "kind": "rtmp"})

    assert (file.status_code, file.json()["url"]) == (201, "broadcast.mp4")
    detail = error_of(rtmp)["details"][0]
    assert (rtmp.status_code, detail["field"], detail["code"]) == (400, "url", "required")


def test_new_address_needs_the_key_again(cast: Cast, alice: Client) -> None:
    output = make_output(cast.organization, cast.alice)
    path = f"outputs/{output.pk}/"
    moved = {"url": "rtmp://127.0.0.1:1936/live"}

    refused = alice.patch(path, moved)
    taken = alice.patch(path, {**moved, "stream_key": "another-long-key-7"})

    assert error_of(refused)["details"][0]["field"] == "stream_key"
    assert taken.status_code == 200
    output.refresh_from_db()
    assert vault.open_from(output, "sealed_stream_key") == "another-long-key-7"


def test_patch_without_a_key_keeps_it(cast: Cast, alice: Client) -> None:
    output = make_output(cast.organization, cast.alice)

    alice.patch(f"outputs/{output.pk}/", {"name": "Renamed"})

    output.refresh_from_db()
    assert output.name == "Renamed"
    assert vault.open_from(output, "sealed_stream_key") == CANARY_KEY


def test_rotate_key_reaches_what_is_on_air(row: BroadcastOutput, alice: Client) -> None:
    answer = alice.post(f"outputs/{row.output_id}/rotate-key/", {"stream_key": "rotated-key-0042"})

    assert (answer.status_code, answer.json()["key_hint"]) == (200, "0042")
    command = row.broadcast.commands.get(name="output_replace_key")
    assert command.args == {"id": str(row.pk)}
    opened = open_command_args(command)
    assert opened == {"id": str(row.pk), "stream_key": "rotated-key-0042"}
    decode_command(command.name, opened)


def test_rotate_key_wants_a_key(cast: Cast, alice: Client) -> None:
    output = make_output(cast.organization, cast.alice)

    for body in ({}, {"stream_key": ""}, {"stream_key": "a b"}, {"stream_key": None}):
        error = error_of(alice.post(f"outputs/{output.pk}/rotate-key/", body))
        assert error["details"][0]["field"] == "stream_key"


def test_output_on_air_cannot_be_deleted(row: BroadcastOutput, alice: Client) -> None:
    path = f"outputs/{row.output_id}/"

    refused = alice.delete(path)
    finish_broadcast(broadcast=row.broadcast, state="ended")

    assert error_of(refused)["code"] == "output_in_use"
    assert alice.delete(path).status_code == 204
    row.refresh_from_db()
    assert (row.output_id, row.name) == (None, "Main")


def test_output_is_added_on_air_with_its_key_opened_at_sending(
    cast: Cast, broadcast: Broadcast, alice: Client
) -> None:
    output = make_output(cast.organization, cast.alice)
    path = f"broadcasts/{broadcast.pk}/outputs/"

    answer = alice.post(path, {"output": str(output.pk)})

    assert (answer.status_code, answer.json()["state"]) == (201, "connecting")
    command = broadcast.commands.get()
    assert CANARY_KEY not in str(command.args)
    opened = open_command_args(command)
    assert decode_command("output_add", opened).output.stream_key == CANARY_KEY
    assert error_of(alice.post(path, {"output": str(output.pk)}))["code"] == "output_already_added"


def test_output_without_a_key_is_not_added(cast: Cast, broadcast: Broadcast, alice: Client) -> None:
    output = make_output(cast.organization, cast.alice, stream_key="")

    answer = alice.post(f"broadcasts/{broadcast.pk}/outputs/", {"output": str(output.pk)})

    assert error_of(answer)["details"][0]["code"] == "no_key"


def test_output_of_another_organization_is_not_added(
    cast: Cast, broadcast: Broadcast, alice: Client
) -> None:
    foreign = make_output(cast.elsewhere, cast.charlie)

    answer = alice.post(f"broadcasts/{broadcast.pk}/outputs/", {"output": str(foreign.pk)})

    assert error_of(answer)["details"][0]["code"] == "not_found"


def test_output_with_a_key_per_broadcast_waits_for_it(cast: Cast, bob: Client) -> None:
    waiting = make_output(cast.organization, cast.alice, stream_key="", key_per_broadcast=True)
    row = put_live(cast, outputs=[waiting]).outputs.get()
    assert (row.state, row.desired) == ("waiting_for_key", "waiting_for_key")
    too_early = bob.post(path_of(row, "start"))

    pasted = bob.post(path_of(row, "replace-key"), {"stream_key": "todays-key-5151"})

    assert too_early.status_code == 400
    assert pasted.status_code == 202
    row.refresh_from_db()
    assert row.desired == "live"
    opened = open_command_args(row.broadcast.commands.get())
    assert opened == {"id": str(row.pk), "stream_key": "todays-key-5151"}


def test_output_is_stopped_and_started_alone(row: BroadcastOutput, bob: Client) -> None:
    assert bob.post(path_of(row, "stop")).status_code == 202
    row.refresh_from_db()
    stopped = row.desired
    assert bob.post(path_of(row, "start")).status_code == 202
    row.refresh_from_db()

    assert (stopped, row.desired) == ("stopped", "live")
    names = row.broadcast.commands.order_by("created_at").values_list("name", flat=True)
    assert list(names) == ["output_stop", "output_start"]


def test_output_on_air_is_found_by_either_id(row: BroadcastOutput, bob: Client) -> None:
    path = f"broadcasts/{row.broadcast_id}/outputs/{row.output_id}/stop/"

    assert bob.post(path).status_code == 202


@pytest.mark.parametrize("key", ["", "a b", "a\n", None, 7])
def test_replace_key_refuses_what_is_no_key(row: BroadcastOutput, bob: Client, key: Any) -> None:
    answer = bob.post(path_of(row, "replace-key"), {"stream_key": key})

    assert error_of(answer)["details"][0]["field"] == "stream_key"
    assert not row.broadcast.commands.exists()


@pytest.mark.parametrize("verb", ["start", "stop", "replace-key"])
def test_output_verbs_on_a_broadcast_that_is_over(
    row: BroadcastOutput, bob: Client, verb: str
) -> None:
    finish_broadcast(broadcast=row.broadcast, state="ended")

    answer = bob.post(path_of(row, verb), {"stream_key": "some-key"})

    assert (answer.status_code, error_of(answer)["code"]) == (409, "not_live")


def test_outsider_finds_no_output(row: BroadcastOutput, charlie: Client) -> None:
    assert charlie.get(f"outputs/{row.output_id}/").status_code == 404
    assert charlie.post(path_of(row, "stop")).status_code == 404
    assert charlie.get("outputs/").json()["results"] == []


def test_new_key_of_an_output_is_no_key_of_today(cast: Cast, alice: Client) -> None:
    output = make_output(cast.organization, cast.alice, key_per_broadcast=True)
    row = put_live(cast, outputs=[output]).outputs.get()

    alice.post(f"outputs/{output.pk}/rotate-key/", {"stream_key": "rotated-key-0042"})

    row.refresh_from_db()
    assert row.desired == "waiting_for_key"
    assert not row.broadcast.commands.exists()


def test_new_key_brings_back_what_waited_for_a_lost_one(
    row: BroadcastOutput, alice: Client
) -> None:
    """A relaunched runner must not wait for it again."""
    Output.objects.filter(pk=row.output_id).update(sealed_stream_key="k1.00000000.lost")
    assert output_spec(BroadcastOutput.objects.get(pk=row.pk)).desired == "waiting_for_key"

    alice.post(f"outputs/{row.output_id}/rotate-key/", {"stream_key": "rotated-key-0042"})

    spec = output_spec(BroadcastOutput.objects.get(pk=row.pk))
    assert (spec.desired, spec.stream_key) == ("live", "rotated-key-0042")


def test_output_that_is_added_twice_with_one_key_is_added_once(
    cast: Cast, broadcast: Broadcast
) -> None:
    """A console that was cut off sends its order again, with the same id."""
    output = make_output(cast.organization, cast.alice)

    def add() -> BroadcastOutput:
        return add_output(
            broadcast=broadcast, output=output, actor=cast.alice, idempotency_key="again"
        )

    assert add() == add()
    assert broadcast.commands.count() == 1
