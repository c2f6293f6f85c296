"""`manage.py rotate_keys`: encrypt every secret again with the first key of FIELD_KEYS."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from livestudio.common import vault


class Command(BaseCommand):
    help = "Encrypt every secret with the first key of FIELD_KEYS; afterwards the others may go."

    def handle(self, *args: Any, **options: Any) -> None:
        """Safe to repeat, and while shows are on air."""
        try:
            count = vault.rotate_all()
        except vault.VaultError as error:
            raise CommandError(f"{error}. Put that key back into FIELD_KEYS.") from error
        self.stdout.write(f"{count} secrets are encrypted with the first key.")
