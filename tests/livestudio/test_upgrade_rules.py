"""What lets an upgrade pass: old code goes on beside a migrated database for a moment."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Final

import pytest
from django.apps import apps
from django.db import connection
from django.db.migrations import AddField
from django.db.models import NOT_PROVIDED

from livestudio.common.vault_rotation import missing_keys
from scripts.provision.paths import ROOT

OWN: Final = ("accounts", "avatars", "inference", "metering", "streams", "voices", "webhooks")
# Made before this rule, and in every database that anybody has.
BEFORE: Final = {
    "accounts": 10, "avatars": 4, "inference": 2, "metering": 2, "streams": 12, "voices": 5,
    "webhooks": 2,
}  # fmt: skip


@pytest.mark.parametrize("app", OWN)
def test_new_columns_can_be_left_out_by_code_of_before(app: str) -> None:
    for path in sorted((ROOT / app / "migrations").glob("[0-9]*.py")):
        if int(path.name[:4]) <= BEFORE[app]:
            continue
        for operation in import_module(f"{app}.migrations.{path.stem}").Migration.operations:
            assert _is_optional(operation), (
                f"{path.name}: {operation.name} needs null=True or db_default: web processes of "
                "before write rows without it until they are restarted"
            )


def _is_optional(operation: object) -> bool:
    if not isinstance(operation, AddField) or operation.field.many_to_many:
        return True
    return operation.field.null or operation.field.db_default is not NOT_PROVIDED


def test_every_app_with_tables_is_looked_at() -> None:
    found = {Path(app.path).name for app in apps.get_app_configs() if Path(app.path).parent == ROOT}

    assert {name for name in found if (ROOT / name / "migrations").is_dir()} == set(OWN)


@pytest.mark.django_db
def test_secrets_of_columns_that_are_still_to_come_are_not_looked_for() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_idempotencyrecord DROP COLUMN sealed_body")

    assert missing_keys() == {}
