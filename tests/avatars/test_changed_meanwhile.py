"""A presenter is changed while a version of it becomes ready, or while somebody removes it."""

from __future__ import annotations

import pytest

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
