"""The admin: pictures are uploaded and chosen, cards are written in the rundown."""

from __future__ import annotations

from typing import Any

from django.core.files.base import ContentFile
from django.test import Client as Browser
from django.urls import reverse

from accounts.models import AuditEntry
from inference.catalog import BACKGROUNDS
from streams.admin.looks import BackgroundField
from streams.models import Picture
from tests.factories import Cast
from tests.streams.pictures import image_bytes, make_picture
from tests.streams.plans import make_show
from tests.streams.test_admin import change, errors_of

PICTURES = reverse("admin:streams_picture_changelist")


def upload(browser: Browser, cast: Cast, content: bytes, **values: Any) -> Any:
    body = {"organization": str(cast.organization.pk), "kind": "logo", "name": "", **values}
    file = ContentFile(content, "our-logo.png")
    return browser.post(reverse("admin:streams_picture_add"), {**body, "upload": file})


def test_picture_is_uploaded_and_shown(cast: Cast, browser: Browser) -> None:
    answer = upload(browser, cast, image_bytes((64, 48)))

    assert answer.status_code == 302
    picture = Picture.objects.get()
    assert (picture.name, picture.width_px) == ("our-logo", 64)
    assert picture.file.name in str(picture.file)
    listed = browser.get(PICTURES).content.decode()
    assert "our-logo" in listed
    assert f"/api/v1/pictures/{picture.pk}/file/?signature=" in listed


def test_file_that_is_no_picture_is_refused_beside_its_field(cast: Cast, browser: Browser) -> None:
    answer = upload(browser, cast, b"no picture at all")

    assert answer.status_code == 200
    assert "JPEG" in str(answer.context["adminform"].form.errors["upload"])
    assert not Picture.objects.exists()


def test_another_name_leaves_an_audit_entry(cast: Cast, browser: Browser) -> None:
    picture = make_picture(cast.organization, "logo", "Tea")
    page = reverse("admin:streams_picture_change", args=[picture.pk])

    answers = [browser.post(page, {"name": name}) for name in ("Green tea", "Green tea", "")]

    assert [answer.status_code for answer in answers] == [302, 302, 302]
    picture.refresh_from_db()
    assert picture.name == "Green tea"
    entry = AuditEntry.objects.get(action="streams.picture.renamed")
    assert entry.data == {"before": "Tea", "name": "Green tea"}
    assert (entry.actor, entry.organization) == (cast.alice, cast.organization)


def test_used_picture_is_not_deleted_and_its_users_are_named(cast: Cast, browser: Browser) -> None:
    picture = make_picture(cast.organization, "logo")
    make_show(cast.organization, cast.alice, logo=picture)

    page = reverse("admin:streams_picture_delete", args=[picture.pk])
    answer = browser.post(page, {"post": "yes"}, follow=True)

    assert "Evening" in " ".join(str(message) for message in answer.context["messages"])
    assert Picture.objects.filter(pk=picture.pk).exists()


def test_show_editor_offers_pictures_of_the_right_kind_and_organization(
    cast: Cast, browser: Browser
) -> None:
    show = make_show(cast.organization, cast.alice)
    for kind in ("background", "logo", "card"):
        make_picture(cast.organization, kind, f"own {kind}")
        make_picture(cast.elsewhere, kind, f"foreign {kind}")

    page = browser.get(reverse("admin:streams_show_change", args=[show.pk])).context
    form = page["adminform"].form
    cue = page["inline_admin_formsets"][0].formset.forms[0]

    offered = str(form["background"]) + str(form["logo"]) + str(cue["card_picture"])
    assert offered.count("own ") == 3
    assert "own background" in str(form["background"])
    assert "own logo" in str(form["logo"])
    assert "own card" in str(cue["card_picture"])
    assert "foreign" not in offered


def test_looks_and_card_are_saved(cast: Cast, browser: Browser) -> None:
    show = make_show(cast.organization, cast.alice)
    ground = make_picture(cast.organization, "background")
    card = make_picture(cast.organization, "card")

    values = {
        "background_0": str(ground.pk),
        "lower_third_name": "林小雅",
        "clock_format": "minute",
        "clock_timezone": "Europe/Berlin",
        "cues-0-card_title": "乌龙茶",
        "cues-0-card_price": "¥99.9",
        "cues-0-card_url": "https://shop.example.org/tea",
        "cues-0-card_picture": str(card.pk),
    }
    answer = change(browser, show, **values)

    assert answer.status_code == 302, errors_of(answer)
    show.refresh_from_db()
    first, second = show.cues.all()
    assert (show.background, show.lower_third_name) == (str(ground.pk), "林小雅")
    assert first.kept_card == {
        "title": "乌龙茶",
        "price": "¥99.9",
        "url": "https://shop.example.org/tea",
        "picture": str(card.pk),
    }
    assert second.card is None


def test_every_drawn_background_is_offered() -> None:
    drawn = BackgroundField([]).fields[0].choices[0][1]

    assert {name for name, _ in drawn} == {*BACKGROUNDS, "colour"}


def test_one_colour_is_saved_as_the_background(cast: Cast, browser: Browser) -> None:
    show = make_show(cast.organization, cast.alice)

    change(browser, show, background_0="colour", background_1="#203040")

    show.refresh_from_db()
    assert show.background == "#203040"
    page = browser.get(reverse("admin:streams_show_change", args=[show.pk])).context
    assert 'value="#203040"' in str(page["adminform"].form["background"])


def test_mistakes_are_told_beside_their_fields(cast: Cast, browser: Browser) -> None:
    show = make_show(cast.organization, cast.alice)

    values = {
        "cues-0-card_price": "¥9",
        "cues-1-card_title": "Tea",
        "cues-1-card_url": "ftp://x.example/",
        "clock_timezone": "Mars/Olympus",
        "lower_third_role": "Host",
    }
    answer = change(browser, show, **values)

    assert answer.status_code == 200
    forms = [answer.context["adminform"].form]
    forms += answer.context["inline_admin_formsets"][0].formset.forms
    assert [sorted(form.errors) for form in forms] == [
        ["clock_timezone", "lower_third_name"],
        ["card"],
        ["card"],
    ]


def test_background_that_does_not_exist_is_refused(cast: Cast, browser: Browser) -> None:
    show = make_show(cast.organization, cast.alice)

    answer = change(browser, show, background_0="beach")

    assert list(answer.context["adminform"].form.errors) == ["background"]
