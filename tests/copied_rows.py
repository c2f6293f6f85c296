"""Rows that services have made once in this process, made again as copies.

Most tests begin with the same people in the same two organizations. The services take a hundred
queries to make them, copies take six; `tests/test_factories.py` compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import models
from django.utils import timezone

from accounts.models import Organization
from livestudio.common.models import uuid7

Rows = list[models.Model]


def owned_rows(organizations: Iterable[Organization]) -> Rows:
    """Every row that belongs to these organizations, in the order in which they were made."""
    owned = {"organization__in": list(organizations)}
    return [
        row
        for model in _owned_models()
        for row in model.objects.filter(**owned).order_by("created_at")
    ]


def copy_rows(rows: Rows) -> Rows:
    """The same rows with new ids and the time of now, saved. rows: parents before children."""
    ids: dict[Any, Any] = {row.pk: uuid7() for row in rows}
    # The audit trail holds them as text.
    ids |= {str(old): str(new) for old, new in ids.items()}
    copies = [_copy(row, ids) for row in rows]
    for model, same in groupby(copies, type):
        model._base_manager.bulk_create(same)
    return copies


def _copy(row: models.Model, ids: dict[Any, Any]) -> models.Model:
    names = [field.attname for field in row._meta.concrete_fields]
    return type(row)(**{name: _renewed(getattr(row, name), ids) for name in names})


def _renewed(value: Any, ids: dict[Any, Any]) -> Any:
    if isinstance(value, datetime):
        return timezone.now()
    return ids.get(value, value) if isinstance(value, str | UUID) else deepcopy(value)


def _owned_models() -> list[Any]:
    return [
        model
        for model in apps.get_models()
        if any(field.name == "organization" for field in model._meta.concrete_fields)
    ]
