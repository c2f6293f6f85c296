"""The project itself as an app: commands, checks and the wiring between the apps."""

from __future__ import annotations

from django.apps import AppConfig


class LiveStudioConfig(AppConfig):
    name = "livestudio"
    verbose_name = "LiveStudio"

    def ready(self) -> None:
        from livestudio import checks, wiring

        checks.register_all()
        wiring.connect()
