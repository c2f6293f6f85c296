"""Shows and cues through the API."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from avatars.models import AvatarClip
from inference.catalog import BACKGROUNDS
from streams.models import Cue, Show
from tests.factories import Cast, error_of
from tests.streams.plans import Client, make_output, make_show, show_body
from voices.models import Voice

# Fixed, because test workers have to collect the same names.
NOBODY = UUID("00000000-0000-4000-8000-000000000000")

ROOT = Path(__file__).resolve().parents[2]
CONTRACT_FIELDS = {
    "id", "title", "avatar", "voice", "language", "profile", "visibility", "background", "cues",
    "rundown_mode", "loop_pause_seconds", "ends", "duration_minutes", "schedule", "outputs",
    "overlays", "record",
}  # fmt: skip


def test_post_show_takes_nested_cues_in_order(cast: Cast, alice: Client) -> None:
    answer = alice.post("shows/", show_body(cast.organization))

    assert answer.status_code == 201, answer.json()
    show = answer.json()
    assert set(show) >= CONTRACT_FIELDS
    assert [cue["position"] for cue in show["cues"]] == [0, 1]
    assert show["cues"][1]["emotion"] == 4
    assert show["overlays"]["label"] == {"preset": "bilingual", "position": "top_left"}
    assert (show["visibility"], show["schedule"], show["record"]) == ("private", None, False)
    assert show["is_commercial"] is False


def test_show_says_that_it_sells(cast: Cast, alice: Client) -> None:
    made = alice.post("shows/", show_body(cast.organization, is_commercial=True)).json()
    path = f"shows/{made['id']}/"

    assert made["is_commercial"] is True
    assert alice.patch(path, {"title": "Morning"}).json()["is_commercial"] is True
    assert alice.patch(path, {"is_commercial": False}).json()["is_commercial"] is False


def test_show_needs_title_avatar_voice(alice: Client) -> None:
    error = error_of(alice.post("shows/", {}))

    assert {item["field"] for item in error["details"]} == {"title", "avatar", "voice"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""),
        ("title", "x" * 121),
        ("title", None),
        ("title", 5),
        ("avatar", "nonsense"),
        ("avatar", str(NOBODY)),
        ("avatar", None),
        ("voice", str(NOBODY)),
        ("language", "fr-FR"),
        ("profile", "8k"),
        ("visibility", "secret"),
        ("rundown_mode", "shuffle"),
        ("loop_pause_seconds", -1),
        ("loop_pause_seconds", True),
        ("loop_pause_seconds", "NaN"),
        ("loop_pause_seconds", 1e9),
        ("ends", "never"),
        ("duration_minutes", 0),
        ("duration_minutes", 1.5),
        ("duration_minutes", 100_000),
        ("record", "yes"),
        ("is_commercial", "yes"),
        ("background", ""),
        ("background", "beach"),
        ("background", "#12345"),
        ("outputs", [str(NOBODY)]),
        ("outputs", "all"),
        ("overlays", {"captions": 1}),
        ("overlays", {"label": {"preset": "hidden"}}),
        ("overlays", {"label": {"position": "middle"}}),
        ("overlays", {"logo": "file.png"}),
        ("cues", [{"text": "好", "expression": "bored"}]),
        ("cues", [{"text": "好"}, {"text": "好", "emotion": 6}]),
        ("cues", [{"text": ""}]),
        ("cues", [{"text": "[dance] 好"}]),
        ("cues", [{"text": "[pause 999] 好"}]),
        ("cues", [{"kind": "pause"}]),
        ("cues", [{"kind": "clip"}]),
        ("cues", [{"kind": "sing", "text": "好"}]),
        ("cues", [{"text": "好", "gesture": "salute"}]),
        ("cues", [{"text": "x" * 10_001}]),
        ("cues", [{"text": "好", "card": {"text": "no title"}}]),
        ("cues", {"text": "好"}),
        ("cues", [5]),
    ],
)
def test_show_refuses_bad_value_naming_the_field(
    cast: Cast, alice: Client, field: str, value: Any
) -> None:
    answer = alice.post("shows/", show_body(cast.organization, **{field: value}))

    assert answer.status_code == 400
    error = error_of(answer)
    assert error["details"][0]["field"].split(".")[0] == field
    assert error["message"]
    assert not Show.objects.exists()


def test_unknown_expression_names_the_allowed_ones(cast: Cast, alice: Client) -> None:
    body = show_body(cast.organization, cues=[{"text": "好", "expression": "bored"}])

    error = error_of(alice.post("shows/", body))

    assert error["details"][0]["field"] == "cues.0.expression"
    assert "neutral, happy, laugh" in error["details"][0]["message"]


def test_bad_directive_names_the_cue(cast: Cast, alice: Client) -> None:
    body = show_body(cast.organization, cues=[{"text": "好"}, {"text": "[dance] 好"}])

    error = error_of(alice.post("shows/", body))

    assert error["details"][0]["field"] == "cues.1.text"
    assert "dance" in error["details"][0]["message"]


def test_show_cannot_use_another_organizations_rows(cast: Cast, alice: Client) -> None:
    foreign_voice = Voice.objects.filter(organization=cast.elsewhere)[0]
    foreign_output = make_output(cast.elsewhere, cast.charlie)

    for field, value in (("voice", str(foreign_voice.pk)), ("outputs", [str(foreign_output.pk)])):
        error = error_of(alice.post("shows/", show_body(cast.organization, **{field: value})))
        assert error["details"][0]["code"] == "not_found"


@pytest.mark.parametrize("background", [*BACKGROUNDS, "#DFE6f4"])
def test_show_takes_a_drawn_background_or_a_colour(
    cast: Cast, alice: Client, background: str
) -> None:
    answer = alice.post("shows/", show_body(cast.organization, background=background))

    assert (answer.status_code, answer.json()["background"]) == (201, background)


def test_catalog_names_the_backgrounds_that_are_drawn() -> None:
    drawn = ROOT / "inference" / "engines" / "face" / "puppet" / "art" / "backgrounds"

    assert {path.stem for path in drawn.glob("*.svg")} == set(BACKGROUNDS)


def test_ends_after_duration_needs_the_duration(cast: Cast, alice: Client) -> None:
    error = error_of(alice.post("shows/", show_body(cast.organization, ends="after_duration")))

    assert error["details"][0]["field"] == "duration_minutes"


def test_patch_changes_what_is_given_and_keeps_the_rest(cast: Cast, alice: Client) -> None:
    show = make_show(cast.organization, cast.alice)

    answer = alice.patch(
        f"shows/{show.pk}/", {"title": "Morning", "overlays": {"label": {"preset": "none"}}}
    )

    assert answer.status_code == 200, answer.json()
    body = answer.json()
    assert body["title"] == "Morning"
    assert body["overlays"]["label"] == {"preset": "none", "position": "top_left"}
    assert body["overlays"]["captions"] is True
    assert len(body["cues"]) == 2


def test_patch_with_cues_replaces_the_rundown_or_nothing(cast: Cast, alice: Client) -> None:
    show = make_show(cast.organization, cast.alice)

    refused = alice.patch(f"shows/{show.pk}/", {"cues": [{"text": "新"}, {"text": "[oops"}]})
    kept = show.cues.count()
    taken = alice.patch(f"shows/{show.pk}/", {"cues": [{"text": "新"}]})

    assert refused.status_code == 400
    assert kept == 2
    assert [cue["text"] for cue in taken.json()["cues"]] == ["新"]


def test_delete_puts_the_show_away(cast: Cast, alice: Client) -> None:
    show = make_show(cast.organization, cast.alice)

    assert alice.delete(f"shows/{show.pk}/").status_code == 204

    assert alice.get(f"shows/{show.pk}/").status_code == 404
    assert alice.get("shows/").json()["results"] == []
    assert Show.objects.filter(pk=show.pk).exists()


def test_show_on_air_cannot_be_deleted(cast: Cast, alice: Client) -> None:
    show = make_show(cast.organization, cast.alice)
    alice.post(f"shows/{show.pk}/start/")

    answer = alice.delete(f"shows/{show.pk}/")

    assert (answer.status_code, error_of(answer)["code"]) == (409, "show_on_air")


def test_shows_are_listed_newest_first_and_by_title(cast: Cast, alice: Client) -> None:
    for title in ("B", "A", "C"):
        make_show(cast.organization, cast.alice, title=title)

    assert [row["title"] for row in alice.get("shows/").json()["results"]] == ["C", "A", "B"]
    by_title = alice.get("shows/", ordering="title").json()["results"]
    assert [row["title"] for row in by_title] == ["A", "B", "C"]
    assert alice.get("shows/", ordering="secret").status_code == 400


def test_shows_come_in_cursor_pages(cast: Cast, alice: Client) -> None:
    for index in range(3):
        make_show(cast.organization, cast.alice, title=str(index))

    first = alice.get("shows/", page_size="2").json()
    second = alice.raw.get(first["next"]).json()

    titles = [row["title"] for row in first["results"] + second["results"]]
    assert titles == ["2", "1", "0"]
    assert second["next"] is None


def test_outsider_finds_no_show(cast: Cast, charlie: Client) -> None:
    show = make_show(cast.organization, cast.alice)

    assert charlie.get(f"shows/{show.pk}/").status_code == 404
    assert charlie.patch(f"shows/{show.pk}/", {"title": "Mine"}).status_code == 404
    assert charlie.get("shows/").json()["results"] == []


def test_post_cue_takes_one_or_a_list(cast: Cast, alice: Client) -> None:
    show = make_show(cast.organization, cast.alice)

    one = alice.post(f"shows/{show.pk}/cues/", {"text": "三"})
    many = alice.post(
        f"shows/{show.pk}/cues/", [{"text": "四"}, {"kind": "pause", "pause_seconds": 2}]
    )

    assert (one.status_code, one.json()["position"]) == (201, 2)
    assert (many.status_code, [cue["position"] for cue in many.json()]) == (201, [3, 4])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"text": ""}, "text"),
        ({"text": "好", "emotion": 0}, "emotion"),
        ({"text": "好", "emotion": "3"}, "emotion"),
        ([{"text": "好"}, {"text": " "}], "1.text"),
        ({"kind": "clip", "clip": str(NOBODY)}, "clip"),
        ({"kind": "pause", "pause_seconds": 3601}, "pause_seconds"),
        ([], ""),
        ("text", ""),
    ],
)
def test_post_cue_refuses_bad_input_and_adds_nothing(
    cast: Cast, alice: Client, body: Any, field: str
) -> None:
    show = make_show(cast.organization, cast.alice)

    answer = alice.post(f"shows/{show.pk}/cues/", body)

    assert answer.status_code == 400
    details = error_of(answer)["details"]
    assert (details[0]["field"] if details else "") == field
    assert show.cues.count() == 2


def test_clip_cue_takes_a_clip_of_the_presenter_only(cast: Cast, alice: Client) -> None:
    show = make_show(cast.organization, cast.alice)
    own = AvatarClip.objects.create(avatar=show.avatar, name="Bow", engine_name="bow")
    foreign = AvatarClip.objects.create(
        avatar=make_show(cast.elsewhere, cast.charlie).avatar, name="Bow", engine_name="bow"
    )

    taken = alice.post(f"shows/{show.pk}/cues/", {"kind": "clip", "clip": str(own.pk)})
    refused = alice.post(f"shows/{show.pk}/cues/", {"kind": "clip", "clip": str(foreign.pk)})

    assert (taken.status_code, taken.json()["clip"]) == (201, str(own.pk))
    assert refused.status_code == 400


def test_cue_is_read_changed_and_deleted(cast: Cast, alice: Client) -> None:
    show = make_show(cast.organization, cast.alice)
    path = f"shows/{show.pk}/cues/{show.cues.all()[0].pk}/"

    changed = alice.patch(path, {"text": "改了。", "emotion": 5})

    assert (changed.status_code, alice.get(path).json()["text"]) == (200, "改了。")
    assert changed.json()["emotion"] == 5
    assert alice.patch(path, {"text": "[oops] 改"}).status_code == 400
    assert alice.delete(path).status_code == 204
    assert alice.get(path).status_code == 404


def test_cue_of_another_show_is_not_found(cast: Cast, alice: Client) -> None:
    show = make_show(cast.organization, cast.alice)
    other = make_show(cast.organization, cast.alice)

    assert alice.get(f"shows/{show.pk}/cues/{other.cues.all()[0].pk}/").status_code == 404


def test_put_rundown_reorders(cast: Cast, alice: Client) -> None:
    show = make_show(cast.organization, cast.alice)
    first, second = show.cues.all()

    answer = alice.put(f"shows/{show.pk}/rundown/", [str(second.pk), str(first.pk)])

    assert answer.status_code == 200
    assert list(show.cues.values_list("pk", flat=True)) == [second.pk, first.pk]


def test_put_rundown_wants_every_cue_once(cast: Cast, alice: Client) -> None:
    show = make_show(cast.organization, cast.alice)
    first, second = (str(cue.pk) for cue in show.cues.all())
    foreign = str(make_show(cast.organization, cast.alice).cues.all()[0].pk)
    path = f"shows/{show.pk}/rundown/"

    for order in ([first], [first, first], [first, foreign], [], "all", [1, 2], {"a": 1}):
        assert alice.put(path, order).status_code == 400, order
    error = error_of(alice.put(path, [first, second, foreign]))
    assert error["details"][0]["code"] == "unknown_cue"
    assert [str(pk) for pk in show.cues.values_list("pk", flat=True)] == [first, second]


def test_operator_may_not_edit(cast: Cast, bob: Client) -> None:
    show = make_show(cast.organization, cast.alice)

    for answer in (
        bob.post("shows/", show_body(cast.organization)),
        bob.patch(f"shows/{show.pk}/", {"title": "Bob's"}),
        bob.post(f"shows/{show.pk}/cues/", {"text": "好"}),
        bob.delete(f"shows/{show.pk}/"),
    ):
        assert (answer.status_code, error_of(answer)["code"]) == (403, "forbidden")
    assert Cue.objects.filter(show=show).count() == 2


def test_body_that_is_not_json_is_refused(alice: Client) -> None:
    answer = alice.raw.generic("POST", "/api/v1/shows/", "{", content_type="application/json")

    assert (answer.status_code, error_of(answer)["code"]) == (400, "parse_error")
