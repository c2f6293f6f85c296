"""AI labels: what each preset shows, where it stands, how high it is, and who took it away."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEntry
from inference.catalog import PROFILES
from inference.media.overlay import OverlayPatch, OverlayStack
from inference.media.picture import empty_picture, planes
from inference.overlay_spec import OverlaySpec
from inference.protocol import RenditionSpec
from inference.runner.overlays import Backdrop
from streams.labels import LABELS
from streams.models.show import Corner, LabelPreset
from streams.services.clashes import PlanWarning
from tests.factories import Cast, api_client, error_of
from tests.streams.plans import make_show
from tests.streams.test_admin import show_form
from voices.models import Language

SIZES = [(1280, 720), (720, 1280)]
ON_SCREEN = [preset for preset in LabelPreset.values if preset != "none"]
WHITE = 235  # as luma of a picture
DAY_SAMPLES = 24 * 3600 * 48_000


async def shown(spec: OverlaySpec, size: tuple[int, int]) -> tuple[OverlayStack, list[str]]:
    """What the runner puts over a picture of this size, and what it says is missing."""
    overlays, told = OverlayStack(), []
    rendition = RenditionSpec("main", *size, 1920, 500)
    await Backdrop(spec, rendition, overlays, lambda: 0, told.append).show()
    return overlays, told


def ink_height(patch: OverlayPatch, size: tuple[int, int]) -> int:
    """Rows from the highest to the lowest white of the text, in a black picture."""
    picture = empty_picture(*size)
    picture[:] = 0
    patch.paste(planes(picture))
    rows = np.flatnonzero((planes(picture).y > WHITE / 2).any(axis=1))
    return int(rows[-1] - rows[0] + 1)


@pytest.mark.parametrize("size", SIZES, ids=["wide", "tall"])
@pytest.mark.parametrize("language", Language.values)
@pytest.mark.parametrize("preset", ON_SCREEN)
async def test_label_is_high_enough_in_its_corner_from_first_to_last_picture(
    preset: str, language: str, size: tuple[int, int]
) -> None:
    label = LABELS[preset]
    for corner in label.corners:
        spec = OverlaySpec(label_text=label.words[language], label_position=corner.value)

        overlays, told = await shown(spec, size)

        assert told == []
        for sample in (0, 48_000, DAY_SAMPLES):
            (patch,) = overlays.due(sample, 0)
        assert ink_height(patch, size) >= 0.05 * min(size)
        assert_in_corner(patch, corner, size)


def assert_in_corner(patch: OverlayPatch, corner: str, size: tuple[int, int]) -> None:
    gaps = {
        "left": patch.x_px, "right": size[0] - patch.x_px - patch.width_px,
        "top": patch.y_px, "bottom": size[1] - patch.y_px - patch.height_px,
    }  # fmt: skip
    assert min(gaps.values()) >= 0
    for side in corner.split("_"):
        assert gaps[side] <= 0.03 * min(size) + 2


def test_every_preset_has_words_in_every_language() -> None:
    assert set(LABELS) == set(LabelPreset.values)
    for preset, label in LABELS.items():
        assert set(label.words) == set(Language.values)
        assert all(bool(text) is (preset != "none") for text in label.words.values())


@pytest.mark.parametrize("language", Language.values)
def test_label_for_china_names_ai_and_that_it_is_generated_in_chinese(language: str) -> None:
    assert "AI生成" in LABELS["china"].words[language]


@pytest.mark.parametrize("language", Language.values)
def test_label_for_the_union_says_so_in_english(language: str) -> None:
    assert LABELS["eu"].words[language].startswith("AI-generated")


@pytest.mark.django_db
@pytest.mark.parametrize("preset", ["china", "eu"])
def test_label_of_a_market_stands_in_an_upper_corner(cast: Cast, preset: str) -> None:
    show = make_show(cast.organization, cast.alice)
    client = api_client(cast.alice)

    def patch(**label: str) -> Any:
        return client.patch(f"/api/v1/shows/{show.pk}/", {"overlays": {"label": label}})

    refused = error_of(patch(preset=preset, position="bottom_left"))["details"][0]
    taken = patch(preset=preset, position="top_right")
    moved = error_of(patch(position="bottom_right"))["details"][0]

    assert (refused["field"], refused["code"]) == ("overlays.label.position", "not_allowed")
    assert f"{Corner.TOP_LEFT.label} / {Corner.TOP_RIGHT.label}" in refused["message"]
    assert taken.json()["overlays"]["label"] == {"preset": preset, "position": "top_right"}
    assert moved["field"] == "overlays.label.position"


@pytest.mark.django_db
def test_taking_the_label_away_warns_and_leaves_one_audit_entry(cast: Cast) -> None:
    show = make_show(cast.organization, cast.alice)
    path, client = f"/api/v1/shows/{show.pk}/", api_client(cast.alice)

    before = client.patch(path, {"title": "Evening"}).json()["warnings"]
    off = client.patch(path, {"overlays": {"label": {"preset": "none"}}}).json()["warnings"]
    still = client.patch(path, {"title": "Night"}).json()["warnings"]

    assert before == []
    assert [row["code"] for row in off] == [row["code"] for row in still] == ["no_label"]
    assert "not told that this show is made by AI" in off[0]["message"]
    entry = AuditEntry.objects.get(action="streams.show.label_off")
    assert (entry.actor, entry.data) == (cast.alice, {"before": "bilingual"})


@pytest.mark.django_db
def test_admin_warns_and_records_when_the_label_is_taken_away(cast: Cast) -> None:
    show = make_show(cast.organization, cast.alice)
    browser = Client()
    browser.force_login(cast.alice)
    page = reverse("admin:streams_show_change", args=[show.pk])

    low = {"label_preset": "china", "label_position": "bottom_left"}
    refused = browser.post(page, show_form(show, **low))
    saved = browser.post(page, show_form(show, label_preset="none"), follow=True)

    assert "label_position" in refused.context["adminform"].form.errors
    assert PlanWarning("no_label").text in [str(told) for told in saved.context["messages"]]
    entry = AuditEntry.objects.get(action="streams.show.label_off")
    assert (entry.actor, entry.data) == (cast.alice, {"before": "bilingual"})


def test_sizes_are_formats_of_the_product() -> None:
    assert {(p.width_px, p.height_px) for p in PROFILES} >= set(SIZES)
