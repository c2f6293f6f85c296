"""`manage.py import_avatar`: a presenter that was built elsewhere, of a folder or zip here."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.files import File
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Organization
from accounts.roles import SYSTEM
from accounts.scope import every_organization
from avatars.builder import AvatarBuilder
from avatars.builds import create_filmed_avatar
from avatars.bundle_archive import pack_folder
from avatars.models import Avatar, AvatarBuild
from livestudio.common.errors import DomainError

_LOOK_SECONDS = 0.2


class Command(BaseCommand):
    help = (
        "Take over a presenter: a folder that MuseTalk or LiveTalking prepared, or a zip of one or "
        "of a version exported here. It is built like an upload, of any size."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("organization", help="its name or id")
        parser.add_argument("name", help="of the new presenter")
        parser.add_argument("path", type=Path, help="a folder or a zip")
        parser.add_argument("--engine", default="musetalk")
        parser.add_argument(
            "--networks", choices=("v1.5", "v1"), help="where the folder does not say"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Waits until the presenter is built; Ctrl-C leaves it to the control loop."""
        with every_organization(), ExitStack() as stack:
            organization = _organization(options["organization"])
            file = stack.enter_context(_open(options["path"]))
            version = {"version": options["networks"]} if options["networks"] else {}
            values = {"name": options["name"], "engine": options["engine"], "settings": version}
            uploads = {"file": File(file, name="archive.zip")}
            try:
                avatar = create_filmed_avatar(
                    organization=organization, values=values, uploads=uploads, actor=SYSTEM,
                    is_local=True,
                )  # fmt: skip
            except DomainError as error:
                details = " ".join(detail.message for detail in error.details)
                raise CommandError(details or error.message) from error
            self._wait(avatar)

    def _wait(self, avatar: Avatar) -> None:
        """A control loop builds it, or else this command does."""
        build, builder = avatar.builds.get(), AvatarBuilder()
        try:
            while not build.is_over:
                builder.look()
                time.sleep(_LOOK_SECONDS)
                build.refresh_from_db()
        finally:
            builder.close()
        if build.state != AvatarBuild.State.READY:
            raise CommandError(f"{avatar.name} was not taken over: {build.reason}")
        self.stdout.write(f"{avatar.name} is ready: {avatar.pk}")
        for note in build.facts.get("notes", ()):
            self.stdout.write(note)


def _organization(name: str) -> Organization:
    found = [row for row in Organization.objects.all() if name in (row.name, str(row.pk))]
    if len(found) != 1:
        raise CommandError(f"There are {len(found)} organizations named {name!r}.")
    return found[0]


def _open(path: Path) -> IO[bytes]:
    if path.is_file():
        return path.open("rb")
    if not path.is_dir():
        raise CommandError(f"There is no folder or file {path}.")
    file = tempfile.TemporaryFile(dir=settings.DATA_DIR)
    pack_folder(path, file)
    file.seek(0)
    return file
