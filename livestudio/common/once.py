"""Slow looks at what a request gave: made before its transaction, and not again inside it.

with looking_once():
    judge(form)              # without a transaction
    with transaction.atomic():
        save(form)           # its checks are answered at once
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

_SEEN: ContextVar[dict[Hashable, Callable[[], Any]] | None] = ContextVar("seen", default=None)


@contextmanager
def looking_once() -> Iterator[None]:
    """While it lasts, `once` looks once for each key; what was refused is refused again."""
    token = _SEEN.set({})
    try:
        yield
    finally:
        _SEEN.reset(token)


def once(key: Hashable, look: Callable[[], T]) -> T:
    """What `look` gives or raises. Outside of `looking_once` it looks each time."""
    seen = _SEEN.get()
    if seen is None:
        return look()
    if key not in seen:
        seen[key] = _outcome(look)
    found: T = seen[key]()
    return found


def _outcome(look: Callable[[], T]) -> Callable[[], T]:
    try:
        value = look()
    except Exception as error:  # noqa: BLE001 -- raised again by whoever asks for the outcome
        return _raising(error)
    return lambda: value


def _raising(error: Exception) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail
