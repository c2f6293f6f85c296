"""What belongs to an organization, read from the models themselves: nothing can be forgotten."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from django.apps import apps
from django.db import models

from accounts.models import Organization, User

APPS: Final = ("accounts", "metering", "avatars", "voices", "webhooks", "streams", "inference")


@cache
def our_models() -> tuple[type[models.Model], ...]:
    """Every model of ours."""
    return tuple(model for app in APPS for model in apps.get_app_config(app).get_models())


@cache
def tenant_models() -> tuple[type[models.Model], ...]:
    """Every model whose rows belong to one organization, those that others point at last."""
    found = [model for model in our_models() if path_to_organization(model) is not None]
    ordered: list[type[models.Model]] = []
    while found:
        free = [model for model in found if not any(_points_at(o, model) for o in found)]
        assert free, f"these models point at each other: {found}"
        ordered += free
        found = [model for model in found if model not in free]
    return tuple(ordered)


def path_to_organization(model: type[models.Model]) -> str | None:
    """The lookup from a row to its organization, through parents it cannot be without."""
    if model in (Organization, User):
        return None
    parents = [
        field
        for field in model._meta.fields
        if isinstance(field, models.ForeignKey) and field.remote_field.on_delete is models.CASCADE
    ]
    for field in parents:
        if field.related_model is Organization:
            return field.name
    for field in parents:
        parent: Any = field.related_model
        further = None if field.null else path_to_organization(parent)
        if further is not None:
            return f"{field.name}__{further}"
    return None


def rows_of(model: type[models.Model], organization: Organization) -> models.QuerySet[Any]:
    """The rows of a model that belong to an organization."""
    path = path_to_organization(model)
    assert path is not None, model
    return model._base_manager.filter(**{path: organization})


def _points_at(model: type[models.Model], other: type[models.Model]) -> bool:
    return model is not other and any(
        field.is_relation and field.related_model is other for field in model._meta.fields
    )
