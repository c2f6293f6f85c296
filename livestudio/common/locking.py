"""A row that is about to be changed: as it is now, and nobody else's until that is done."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db import models

from livestudio.common.errors import NotFoundError

M = TypeVar("M", bound=models.Model)


def lock_row(row: models.Model) -> None:
    """Read it anew and lock it until the caller's transaction ends.

    A request has read its row before it changes it. Written as it was read, all of it, what others
    have done to it since would be taken back, and what they have deleted would be there again.
    Raises NotFoundError when it is gone.
    """
    rows = type(row)._base_manager.select_for_update()
    try:
        row.refresh_from_db(from_queryset=rows)
    except ObjectDoesNotExist as error:
        raise NotFoundError from error


def with_values(row: M, values: Mapping[str, Any]) -> M:
    """The row as it would be, for a check that takes its time: it is made before the lock."""
    changed = copy.copy(row)
    set_values(changed, values)
    return changed


def set_values(row: models.Model, values: Mapping[str, Any]) -> None:
    """Give the fields of a row their new values; the caller saves it."""
    for name, value in values.items():
        setattr(row, name, value)
