"""Replacing the keys of the vault while everything runs, and telling which keys are needed.

Rows are taken in batches by their primary key, each batch in a short transaction of its own. What
is under the first key already is skipped, so that a rotation that was cut off goes on where it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.db import connection, models, transaction
from django.db.models import Count
from django.db.models.functions import Substr

from livestudio.common import vault

BATCH_ROWS: Final = 200
# `k1.` and the id of the key.
_HEAD_CHARACTERS: Final = 3 + vault.KEY_ID_CHARACTERS


@dataclass(slots=True)
class Rotation:
    """How many secrets were encrypted anew, and how many already were.

    unreadable: what could not be opened, as `table row`; it was left as it is.
    """

    renewed: int = 0
    kept: int = 0
    unreadable: list[str] = field(default_factory=list)
    missing_keys: set[str] = field(default_factory=set)


def rotate_all(rotation: Rotation) -> Iterator[Rotation]:
    """Encrypt every sealed value with the first key, yielding after each batch."""
    for model, name in sealed_fields():
        yield from _rotate_field(rotation, model, name)


def sealed_fields() -> Iterator[tuple[type[models.Model], str]]:
    """Every place where secrets are kept."""
    for model in apps.get_models():
        for item in model._meta.fields:
            if isinstance(item, vault.SealedTextField):
                yield model, item.name


def missing_keys() -> Counter[str]:
    """Key id → how many secrets need it although FIELD_KEYS does not have it.

    Asks the database for the heads of the ciphertexts only. Fields that are not there are skipped:
    before an upgrade `migrate` itself asks.
    """
    known = {vault.key_id(key) for key in settings.FIELD_KEYS}
    tables = set(connection.introspection.table_names())
    found: Counter[str] = Counter()
    for model, name in sealed_fields():
        table = model._meta.db_table
        if table not in tables or name not in _columns_of(table):
            continue
        rows = model._default_manager.filter(**{f"{name}__startswith": "k1."})
        heads = rows.order_by().annotate(head=Substr(name, 1, _HEAD_CHARACTERS)).values("head")
        for row in heads.annotate(number=Count("pk")):
            found[vault.key_id_of(row["head"])] += row["number"]
    return Counter({key: number for key, number in found.items() if key not in known})


def _columns_of(table: str) -> set[str]:
    with connection.cursor() as cursor:
        rows = connection.introspection.get_table_description(cursor, table)
    return {row.name for row in rows}


def _rotate_field(rotation: Rotation, model: type[models.Model], name: str) -> Iterator[Rotation]:
    rows = model._default_manager.exclude(**{name: ""}).order_by("pk")
    last: Any = None
    while True:
        batch = rows if last is None else rows.filter(pk__gt=last)
        values = list(batch.values_list("pk", name)[:BATCH_ROWS])
        if not values:
            return
        with transaction.atomic():
            for pk, ciphertext in values:
                _rotate_row(rotation, model, name, pk, ciphertext)
        last = values[-1][0]
        yield rotation


def _rotate_row(
    rotation: Rotation, model: type[models.Model], name: str, pk: Any, ciphertext: str
) -> None:
    try:
        fresh = vault.reseal(ciphertext)
    except vault.VaultError as error:
        rotation.unreadable.append(f"{model._meta.label_lower} {pk}")
        rotation.missing_keys |= {error.key_id} - {""}
        return
    if fresh == ciphertext:
        rotation.kept += 1
        return
    # Only if unchanged meanwhile: a secret replaced during the rotation must not come back.
    rows = model._default_manager.filter(pk=pk, **{name: ciphertext})
    rotation.renewed += rows.update(**{name: fresh})
