"""Uploaded pictures over REST, and the cards, logos and backgrounds that name them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from django.conf import settings
from django.core.files.base import ContentFile

from inference.overlay_spec import CardSpec, ClockSpec, LogoSpec, LowerThirdSpec
from streams.models import Picture
from streams.services.pictures import background_of, picture_path
from streams.services.runner_spec import build_runner_spec
from tests.factories import Cast, api_client, error_of, make_cast
from tests.streams.pictures import image_bytes, make_picture
from tests.streams.plans import Client, make_show, put_live, show_body

pytestmark = pytest.mark.django_db
CARD = {"title": "乌龙茶", "price": "¥99.9", "url": "https://shop.example.org/tea"}


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def upload(cast: Cast, content: bytes, kind: str = "logo") -> Any:
    form = {"kind": kind, "file": ContentFile(content, "../Our logo.png")}
    return api_client(cast.alice).post("/api/v1/pictures/", form, format="multipart")


def test_upload_is_kept_under_a_name_nobody_can_guess_and_shown_by_a_signed_address(
    cast: Cast,
) -> None:
    answer = upload(cast, image_bytes((64, 48)))

    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert (body["name"], body["kind"], body["width_px"]) == ("Our logo", "logo", 64)
    path = Path(Picture.objects.get().file.path)
    assert path.parent == Path(settings.MEDIA_ROOT) / "pictures"
    assert "logo" not in path.name
    shown = api_client().get(body["image_url"])
    assert (shown.status_code, shown["Content-Type"]) == (200, "image/png")
    assert api_client().get(body["image_url"][:-1]).status_code == 404


def test_upload_whose_row_is_not_written_leaves_no_file(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.services.pictures.note_file", Mock(side_effect=OSError("full")))
    before = set(Path(settings.MEDIA_ROOT).rglob("*"))

    assert upload(cast, image_bytes()).status_code == 500

    assert {path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()} <= before
    assert not Picture.objects.exists()


def test_what_is_no_picture_is_refused_in_words(cast: Cast) -> None:
    refused = upload(cast, b"GIF89a no")

    assert refused.status_code == 400
    [detail] = error_of(refused)["details"]
    assert (detail["field"], detail["code"]) == ("file", "picture_unreadable")
    assert not Picture.objects.exists()


def test_too_heavy_file_is_refused_before_it_is_read(cast: Cast) -> None:
    refused = upload(cast, bytes(8 * 1024 * 1024 + 1))

    [detail] = error_of(refused)["details"]
    assert (detail["field"], detail["code"]) == ("file", "picture_too_heavy")


def test_card_names_its_picture_and_comes_back_with_its_address(cast: Cast) -> None:
    picture = make_picture(cast.organization)
    body = show_body(
        cast.organization, cues=[{"text": "好。", "card": {**CARD, "picture": str(picture.pk)}}]
    )

    show = Client(cast.alice).post("shows/", body).json()

    card = show["cues"][0]["card"]
    assert {name: card[name] for name in CARD} == CARD
    assert (card["picture"], card["text"]) == (str(picture.pk), "")
    assert api_client().get(card["image_url"]).status_code == 200
    # What was read may be sent back as it is.
    again = Client(cast.alice).patch(f"shows/{show['id']}/", {"cues": show["cues"]})
    assert again.json()["cues"][0]["card"] == card


@pytest.mark.parametrize(
    ("card", "field"),
    [
        ({"price": "¥9"}, "card.title"),
        ({"title": " "}, "card.title"),
        ({"title": "x" * 101}, "card.title"),
        ({"title": "x", "price": "9" * 25}, "card.price"),
        ({"title": "x", "url": "javascript:alert(1)"}, "card.url"),
        ({"title": "x", "url": "https://a.example/" + "x" * 190}, "card.url"),
        ({"title": "x", "picture": "00000000-0000-0000-0000-000000000000"}, "card.picture"),
    ],
)
def test_wrong_card_is_refused_by_the_name_of_its_field(
    cast: Cast, card: dict[str, Any], field: str
) -> None:
    show = make_show(cast.organization, cast.alice)

    refused = Client(cast.alice).post(f"shows/{show.pk}/cues/", {"text": "好。", "card": card})

    assert refused.status_code == 400
    assert [detail["field"] for detail in error_of(refused)["details"]] == [field]
    assert show.cues.count() == 2


def test_pictures_of_others_and_of_another_kind_are_refused(cast: Cast) -> None:
    client, show = Client(cast.alice), make_show(cast.organization, cast.alice)
    foreign = make_picture(cast.elsewhere, "background")
    card = make_picture(cast.organization, "card")

    def refusal(body: dict[str, Any]) -> str:
        [detail] = error_of(client.patch(f"shows/{show.pk}/", body))["details"]
        return f"{detail['field']} {detail['code']}"

    assert refusal({"background": str(foreign.pk)}) == "background not_found"
    assert refusal({"background": str(card.pk)}) == "background wrong_kind"
    assert refusal({"background": "beach"}) == "background invalid_choice"
    assert refusal({"overlays": {"logo": {"picture": str(card.pk)}}}) == "logo wrong_kind"


def test_overlays_change_only_where_they_are_given(cast: Cast) -> None:
    client, show = Client(cast.alice), make_show(cast.organization, cast.alice)
    logo = make_picture(cast.organization, "logo")
    given = {
        "logo": {"picture": str(logo.pk), "position": "bottom_left"},
        "lower_third": {"name": "林小雅", "role": "主播"},
        "clock": {"format": "second", "timezone": "Europe/Berlin"},
    }
    client.patch(f"shows/{show.pk}/", {"overlays": given})

    answer = client.patch(f"shows/{show.pk}/", {"overlays": {"clock": {"format": "minute"}}})

    overlays = answer.json()["overlays"]
    assert overlays["logo"]["picture"] == str(logo.pk)
    assert overlays["logo"]["position"] == "bottom_left"
    assert overlays["lower_third"] == given["lower_third"]
    assert overlays["clock"] == {
        "format": "minute",
        "position": "top_right",
        "timezone": "Europe/Berlin",
    }
    without = client.patch(f"shows/{show.pk}/", {"overlays": {"logo": None}})
    assert without.json()["overlays"]["logo"] is None


@pytest.mark.parametrize(
    ("overlays", "field"),
    [
        ({"clock": {"timezone": "Mars/Olympus"}}, "overlays.clock.timezone"),
        ({"clock": {"format": "hour"}}, "overlays.clock.format"),
        ({"lower_third": {"role": "Host"}}, "overlays.lower_third.name"),
        ({"lower_third": {"name": "x" * 31}}, "overlays.lower_third.name"),
        ({"logo": {"position": "middle", "picture": None}}, "overlays.logo.picture"),
    ],
)
def test_wrong_overlay_is_refused_by_the_name_of_its_field(
    cast: Cast, overlays: dict[str, Any], field: str
) -> None:
    show = make_show(cast.organization, cast.alice)

    refused = Client(cast.alice).patch(f"shows/{show.pk}/", {"overlays": overlays})

    assert field in [detail["field"] for detail in error_of(refused)["details"]]


def test_picture_in_use_stays_and_an_unused_one_goes_with_its_file(
    cast: Cast, django_capture_on_commit_callbacks: Any
) -> None:
    client, picture = Client(cast.alice), make_picture(cast.organization, "background")
    path = picture_path(picture)
    show = make_show(cast.organization, cast.alice, background=str(picture.pk))

    refused = client.delete(f"pictures/{picture.pk}/")
    client.patch(f"shows/{show.pk}/", {"background": "studio"})

    assert (refused.status_code, error_of(refused)["code"]) == (409, "picture_in_use")
    assert "Evening" in error_of(refused)["message"]
    assert path is not None
    assert path.is_file()
    with django_capture_on_commit_callbacks(execute=True):
        assert client.delete(f"pictures/{picture.pk}/").status_code == 204
    assert not Picture.objects.exists()
    assert not path.exists()


def test_picture_of_an_airing_stays_while_it_is_on_air(cast: Cast) -> None:
    picture = make_picture(cast.organization)
    broadcast = put_live(cast, cues=[{"text": "好。", "card": CARD, "card_picture": picture}])
    broadcast.show.cues.all().delete()

    refused = Client(cast.alice).delete(f"pictures/{picture.pk}/")
    rundown = Client(cast.alice).get(f"broadcasts/{broadcast.pk}/").json()["rundown"]

    assert refused.status_code == 409
    assert rundown[0]["card"]["title"] == "乌龙茶"
    assert api_client().get(rundown[0]["card"]["image_url"]).status_code == 200


def test_background_that_is_gone_becomes_the_studio(cast: Cast) -> None:
    picture = make_picture(cast.organization, "background")

    assert background_of(str(picture.pk)) == str(picture_path(picture))
    assert background_of("#aabbcc") == "#aabbcc"
    Path(picture.file.path).unlink()
    assert background_of(str(picture.pk)) == "studio"


def test_runner_is_told_files_in_the_place_of_ids(cast: Cast) -> None:
    card, logo = make_picture(cast.organization), make_picture(cast.organization, "logo")
    ground = make_picture(cast.organization, "background")
    broadcast = put_live(
        cast,
        cues=[{"text": "好。", "card": CARD, "card_picture": card}, {"text": "再见。"}],
        logo=logo,
        background=str(ground.pk),
        clock_format="minute",
        lower_third_name="林小雅",
    )

    spec = build_runner_spec(broadcast, token="t")

    with_card, without = spec.cues
    assert with_card.card == CardSpec(**CARD, picture=str(picture_path(card)))
    assert without.card is None
    assert spec.background == str(picture_path(ground))
    assert spec.overlays.logo == LogoSpec(str(picture_path(logo)), "top_right")
    assert spec.overlays.clock == ClockSpec("minute", "Asia/Shanghai")
    assert spec.overlays.lower_third == LowerThirdSpec("林小雅")


def test_lost_files_keep_no_show_from_the_air(cast: Cast) -> None:
    card, logo = make_picture(cast.organization), make_picture(cast.organization, "logo")
    cues = [{"text": "好。", "card": CARD, "card_picture": card}]
    broadcast = put_live(cast, cues=cues, logo=logo)
    for picture in (card, logo):
        Path(picture.file.path).unlink()

    spec = build_runner_spec(broadcast, token="t")

    assert spec.cues[0].card == CardSpec(**CARD)
    assert spec.overlays.logo is None
