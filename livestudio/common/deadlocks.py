"""Once more for a transaction that the database ended to let another go on."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Final, ParamSpec, TypeVar

from django.db import OperationalError, connection

P = ParamSpec("P")
R = TypeVar("R")

TRIES: Final = 4
# ER_LOCK_DEADLOCK of MySQL and MariaDB: the transaction was rolled back and may be issued again.
_DEADLOCK: Final = 1213


def tried_again_on_deadlock(function: Callable[P, R]) -> Callable[P, R]:
    """For a function that is one transaction: TRIES times at most.

    InnoDB sees a deadlock at once and ends one of those in it; starts in one organization meet in
    its counters. Inside a transaction of the caller's the error is raised: that is what has ended.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        for _ in range(TRIES - 1):
            try:
                return function(*args, **kwargs)
            except OperationalError as error:
                if connection.in_atomic_block or error.args[:1] != (_DEADLOCK,):
                    raise
        return function(*args, **kwargs)

    return run
