"""The states of a broadcast: one table, compare-and-set."""

from __future__ import annotations

from itertools import product

import pytest

from streams.models import Broadcast, BroadcastState
from streams.models.broadcast import FINAL_STATES, REASON_MAX_CHARACTERS
from streams.states import MOVES, move

ALL = BroadcastState.values


@pytest.mark.database
@pytest.mark.parametrize(("start", "to"), list(product(ALL, ALL)))
def test_move_follows_the_table(broadcast: Broadcast, start: str, to: str) -> None:
    Broadcast.objects.update(state=start)

    assert move(broadcast, to, "why") is (to in MOVES[start])

    broadcast.refresh_from_db()
    assert broadcast.state == (to if to in MOVES[start] else start)


def test_nothing_leaves_a_final_state() -> None:
    assert {state for state in ALL if not MOVES[state]} == FINAL_STATES
    assert set(MOVES) == set(ALL)


@pytest.mark.database
def test_one_of_two_that_move_at_once_wins(broadcast: Broadcast) -> None:
    same = Broadcast.objects.get(pk=broadcast.pk)

    assert [move(broadcast, "recovering", "a"), move(same, "recovering", "b")] == [True, False]
    assert same.reason == "a"


@pytest.mark.database
def test_older_lease_epoch_cannot_move(broadcast: Broadcast) -> None:
    Broadcast.objects.update(lease_epoch=2)

    assert not move(broadcast, "stopping", epoch=1)
    assert move(broadcast, "stopping", epoch=2)


@pytest.mark.database
@pytest.mark.parametrize("state", sorted(FINAL_STATES))
def test_final_state_frees_the_show(broadcast: Broadcast, state: str) -> None:
    assert move(broadcast, state, "x" * (REASON_MAX_CHARACTERS + 100))

    broadcast.refresh_from_db()
    assert broadcast.active_key is None
    assert broadcast.ended_at is not None
    assert len(broadcast.reason) == REASON_MAX_CHARACTERS
