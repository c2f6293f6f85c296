"""`manage.py rotate_keys`: encrypt every secret again with the first key of FIELD_KEYS."""

from __future__ import annotations

from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from livestudio.common.vault_rotation import Rotation, rotate_all

SHOWN_ROWS: Final = 20


class Command(BaseCommand):
    help = "Encrypt every secret with the first key of FIELD_KEYS; afterwards the others may go."

    def handle(self, *args: Any, **options: Any) -> None:
        """Safe to repeat, to break off, and while shows are on air."""
        rotation = Rotation()
        for so_far in rotate_all(rotation):
            if options["verbosity"] > 1:
                self.stdout.write(f"{so_far.renewed + so_far.kept} secrets done")
        told = f"{rotation.renewed} secrets were encrypted with the first key, "
        self.stdout.write(f"{told}{rotation.kept} already were.")
        if rotation.unreadable:
            raise CommandError(_trouble(rotation))


def _trouble(rotation: Rotation) -> str:
    keys = ", ".join(sorted(rotation.missing_keys))
    shown = ", ".join(rotation.unreadable[:SHOWN_ROWS])
    more = len(rotation.unreadable) - SHOWN_ROWS
    rest = f" and {more} more" if more > 0 else ""
    advice = f"Put these keys back into FIELD_KEYS: {keys}. " if keys else ""
    return (
        f"{len(rotation.unreadable)} secrets cannot be read and stay as they are: {shown}{rest}. "
        f"{advice}What was damaged has to be pasted again."
    )
