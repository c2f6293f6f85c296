"""A transaction that the database ended for another is issued again."""

from __future__ import annotations

import pytest
from django.db import OperationalError, transaction

from livestudio.common.deadlocks import TRIES, tried_again_on_deadlock

DEADLOCK = OperationalError(1213, "Deadlock found when trying to get lock")


class Work:
    """Fails so many times, then answers how often it was asked."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.asked = 0

    def __call__(self) -> int:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.asked


def run(work: Work) -> int:
    return tried_again_on_deadlock(lambda: work())()


@pytest.mark.django_db(transaction=True)
def test_deadlock_is_tried_again_but_not_for_ever() -> None:
    assert run(Work(DEADLOCK, DEADLOCK)) == 3

    stubborn = Work(*[DEADLOCK] * 50)
    with pytest.raises(OperationalError, match="Deadlock"):
        run(stubborn)
    assert stubborn.asked == TRIES


@pytest.mark.django_db(transaction=True)
def test_other_errors_and_transactions_of_a_caller_are_left_alone() -> None:
    gone = Work(OperationalError(2006, "Server has gone away"))
    with pytest.raises(OperationalError, match="gone away"):
        run(gone)
    inner = Work(DEADLOCK)
    with pytest.raises(OperationalError, match="Deadlock"), transaction.atomic():
        run(inner)

    assert (gone.asked, inner.asked) == (1, 1)
