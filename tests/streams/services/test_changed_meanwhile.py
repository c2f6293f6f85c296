"""Two people change one row at the same moment: neither takes back what the other has done.

A row that was read before somebody else's change stands for a request that was under way.
"""

from __future__ import annotations

import pytest

from livestudio.common import vault
from livestudio.common.errors import InvalidInputError, NotFoundError
from streams.errors import ShowNotReadyError
from streams.models import Broadcast, BroadcastOutput, Cue, Output, Show
from streams.models.broadcast import OutputDesired
from streams.services import outputs, rundown
from streams.services.lifecycle import start_broadcast
from streams.services.shows import ShowDraft, archive_show, update_show
from tests.factories import Cast
from tests.streams.plans import CANARY_KEY, make_output, make_show, put_live

pytestmark = [pytest.mark.django_db, pytest.mark.database]
NEW_KEY = "rotated-key-000042"


def key_of(output: Output) -> str:
    return vault.open_from(Output.objects.get(pk=output.pk), "sealed_stream_key")


# --- shows and their cues ------------------------------------------------------------------------


def test_two_changes_of_a_show_are_both_kept(cast: Cast) -> None:
    made = make_show(cast.organization, cast.alice)
    one, other = (Show.objects.get(pk=made.pk) for _ in range(2))

    update_show(show=one, draft=ShowDraft({"title": "Morning"}), actor=cast.alice)
    update_show(show=other, draft=ShowDraft({"record": True}), actor=cast.alice)

    made.refresh_from_db()
    assert (made.title, made.record) == ("Morning", True)


def test_change_of_a_show_does_not_bring_it_back_from_where_it_was_put_away(cast: Cast) -> None:
    read = make_show(cast.organization, cast.alice)
    archive_show(show=Show.objects.get(pk=read.pk), actor=cast.alice)

    with pytest.raises(NotFoundError):
        update_show(show=read, draft=ShowDraft({"title": "Morning"}), actor=cast.alice)

    assert Show.objects.get(pk=read.pk).archived_at is not None


def test_show_that_was_put_away_is_not_started(cast: Cast) -> None:
    read = make_show(cast.organization, cast.alice)
    archive_show(show=Show.objects.get(pk=read.pk), actor=cast.alice)

    with pytest.raises(ShowNotReadyError, match="deleted"):
        start_broadcast(show=read, actor=cast.alice)

    assert not Broadcast.objects.exists()


def test_change_of_a_cue_leaves_it_where_it_was_moved_to(cast: Cast) -> None:
    show = make_show(cast.organization, cast.alice)
    read, second = show.cues.all()
    rundown.reorder_cues(show=show, order=[second.pk, read.pk], actor=cast.alice)

    rundown.update_cue(cue=read, values={"text": "Welcome."}, actor=cast.alice)

    assert [cue.text for cue in show.cues.all()] == [second.text, "Welcome."]


def test_change_of_a_cue_does_not_make_a_deleted_one_anew(cast: Cast) -> None:
    show = make_show(cast.organization, cast.alice)
    read = show.cues.first()
    assert read is not None
    rundown.delete_cue(cue=Cue.objects.get(pk=read.pk), actor=cast.alice)

    with pytest.raises(NotFoundError):
        rundown.update_cue(cue=read, values={"text": "Welcome."}, actor=cast.alice)

    assert show.cues.count() == 1


# --- outputs -------------------------------------------------------------------------------------


def test_change_of_an_output_does_not_bring_its_old_key_back(cast: Cast) -> None:
    read = make_output(cast.organization, cast.alice)
    outputs.rotate_key(output=Output.objects.get(pk=read.pk), stream_key=NEW_KEY, actor=cast.alice)

    changed = outputs.update_output(
        output=read, values={"name": "Renamed"}, stream_key=None, actor=cast.alice
    )

    assert key_of(read) == NEW_KEY
    assert (changed.name, changed.key_hint) == ("Renamed", NEW_KEY[-4:])


def test_new_key_of_an_output_does_not_bring_its_old_address_back(cast: Cast) -> None:
    read = make_output(cast.organization, cast.alice)
    moved = {"url": "rtmp://127.0.0.1:1935/other"}
    outputs.update_output(
        output=Output.objects.get(pk=read.pk), values=moved, stream_key=NEW_KEY, actor=cast.alice
    )

    outputs.rotate_key(output=read, stream_key=CANARY_KEY, actor=cast.alice)

    assert Output.objects.get(pk=read.pk).url == moved["url"]


def test_key_that_came_meanwhile_does_not_follow_to_a_new_address(cast: Cast) -> None:
    read = make_output(cast.organization, cast.alice, stream_key="")
    outputs.rotate_key(output=Output.objects.get(pk=read.pk), stream_key=NEW_KEY, actor=cast.alice)

    with pytest.raises(InvalidInputError):
        outputs.update_output(
            output=read,
            values={"url": "rtmp://127.0.0.1:1935/other"},
            stream_key=None,
            actor=cast.alice,
        )

    assert key_of(read) == NEW_KEY


def test_output_that_was_deleted_is_not_made_anew(cast: Cast) -> None:
    read = make_output(cast.organization, cast.alice)
    outputs.delete_output(output=Output.objects.get(pk=read.pk), actor=cast.alice)

    with pytest.raises(NotFoundError):
        outputs.update_output(
            output=read, values={"name": "Renamed"}, stream_key=None, actor=cast.alice
        )
    with pytest.raises(NotFoundError):
        outputs.rotate_key(output=read, stream_key=NEW_KEY, actor=cast.alice)

    assert not Output.objects.exists()


def test_new_key_on_air_does_not_start_what_was_stopped(cast: Cast) -> None:
    output = make_output(cast.organization, cast.alice)
    read = put_live(cast, outputs=[output]).outputs.get()
    outputs.stop_output(row=BroadcastOutput.objects.get(pk=read.pk), actor=cast.bob)

    outputs.replace_key(row=read, stream_key=NEW_KEY, actor=cast.bob)

    kept = BroadcastOutput.objects.get(pk=read.pk)
    assert kept.desired == OutputDesired.STOPPED
    assert vault.open_from(kept, "sealed_stream_key") == NEW_KEY
