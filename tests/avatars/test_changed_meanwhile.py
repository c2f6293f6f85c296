"""A presenter is changed while a version of it becomes ready, or while somebody removes it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site

from avatars import previews
from avatars.models import Avatar
from avatars.services import delete_avatar, update_avatar
from livestudio.common.errors import NotFoundError
from tests.factories import AvatarFactory, Cast, make_cast

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def test_new_name_does_not_take_a_presenter_back_to_its_build(cast: Cast) -> None:
    read = AvatarFactory(organization=cast.organization, state=Avatar.State.BUILDING, progress=40)
    Avatar.objects.filter(pk=read.pk).update(state=Avatar.State.READY, progress=100)

    update_avatar(avatar=read, values={"name": "Lin"}, actor=cast.alice)

    kept = Avatar.objects.get(pk=read.pk)
    assert (kept.name, kept.state, kept.progress) == ("Lin", Avatar.State.READY, 100)


def test_change_of_a_presenter_does_not_make_a_deleted_one_anew(cast: Cast) -> None:
    read = AvatarFactory(organization=cast.organization)
    delete_avatar(avatar=Avatar.objects.get(pk=read.pk), actor=cast.alice)

    with pytest.raises(NotFoundError):
        update_avatar(avatar=read, values={"name": "Lin"}, actor=cast.alice)

    assert not Avatar.objects.filter(pk=read.pk).exists()


@pytest.fixture
def while_drawing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[], Any]], None]]:
    """Something that happens while the engine draws the first picture."""
    waiting: list[Callable[[], Any]] = []

    def draw(name: str, request: dict[str, Any], **_: Any) -> bytes:
        if waiting:
            waiting.pop()()
        return str(request["settings"]).encode()

    monkeypatch.setattr(previews, "run_tool", draw)
    yield waiting.append
    shutil.rmtree(site.MEDIA_ROOT, ignore_errors=True)


def pictures() -> list[Path]:
    return sorted((site.MEDIA_ROOT / "avatars").iterdir())


def test_picture_of_what_was_changed_meanwhile_is_not_kept(
    cast: Cast, while_drawing: Callable[[Callable[[], Any]], None]
) -> None:
    avatar = AvatarFactory(organization=cast.organization, settings={"outfit": "blazer"})
    knit = {"settings": {"outfit": "knit"}}
    while_drawing(lambda: update_avatar(avatar=current(), values=knit, actor=cast.alice))

    def current() -> Avatar:
        return Avatar.objects.get(pk=avatar.pk)

    assert b"blazer" in previews.read_preview(current())
    assert b"knit" in previews.read_preview(current())
    assert b"knit" in previews.read_preview(current())
    assert [path.read_bytes() for path in pictures()] == [b"{'outfit': 'knit'}"]


def test_picture_that_two_ask_for_at_once_is_kept_once(
    cast: Cast, while_drawing: Callable[[Callable[[], Any]], None]
) -> None:
    avatar = AvatarFactory(organization=cast.organization, settings={})
    while_drawing(lambda: previews.read_preview(Avatar.objects.get(pk=avatar.pk)))

    assert previews.read_preview(Avatar.objects.get(pk=avatar.pk)) == b"{}"

    (kept,) = pictures()
    assert Avatar.objects.get(pk=avatar.pk).preview.path == str(kept)
