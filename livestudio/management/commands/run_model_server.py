"""`manage.py run_model_server 0`: becomes the model server of a place in MODEL_SERVERS."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from avatars.bundles import present_servers, weights_folder
from inference.child_environment import child_environment


class Command(BaseCommand):
    """`manage.py up` does it by itself; elsewhere a service manager keeps it running."""

    help = "Run the model server of one GPU, which paints the presenters of all broadcasts."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("number", type=int, help="its place in MODEL_SERVERS, from 0")
        parser.add_argument(
            "--life-fd", type=int, default=None, help="read end of the pipe of `manage.py up`"
        )

    def handle(self, *args: Any, number: int, life_fd: int | None, **options: Any) -> None:
        """Nothing of this process stays: the server has no Django and no secrets."""
        servers = present_servers()
        if not servers:
            raise CommandError("FACE_NETWORKS=local: each broadcast's worker has its own networks.")
        if not 0 <= number < len(servers):
            raise CommandError(f"MODEL_SERVERS lists {len(servers)}, the first of which is 0.")
        server = servers[number]
        command = server.command(weights_folder(), life_fd)
        environment = {**child_environment(), **server.environment()}
        if settings.TEST_ENGINES:
            environment["TEST_ENGINES"] = "1"
        if life_fd is not None:
            os.set_inheritable(life_fd, True)  # noqa: FBT003
        os.chdir(settings.BASE_DIR)
        os.execve(command[0], command, environment)  # noqa: S606 - our own program
