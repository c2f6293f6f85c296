"""`manage.py export_avatar`: the version in use of a presenter, as a zip."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.scope import every_organization
from avatars.bundle_archive import write_archive
from avatars.bundles import current_build
from avatars.selectors import find_avatar


class Command(BaseCommand):
    help = "Write the version in use of a built presenter into a zip that `import_avatar` takes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("avatar", type=UUID)
        parser.add_argument("path", type=Path, help="the zip, which must not exist yet")

    def handle(self, *args: Any, **options: Any) -> None:
        with every_organization():
            avatar = find_avatar(options["avatar"])
            build = current_build(avatar) if avatar is not None else None
            if build is None:
                raise CommandError("There is no presenter with this id that was built.")
            try:
                with options["path"].open("xb") as target:
                    write_archive(build, target)
            except OSError as error:
                raise CommandError(f"The zip could not be written: {error}") from error
        self.stdout.write(f"{build} is in {options['path']}.")
