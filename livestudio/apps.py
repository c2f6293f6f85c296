"""The project itself as an app: commands, checks and the wiring between the apps."""

from __future__ import annotations

from django.apps import AppConfig


class LiveStudioConfig(AppConfig):
    name = "livestudio"
    verbose_name = "LiveStudio"

    def ready(self) -> None:
        # `schema` tells the OpenAPI generator about our sign-in by being imported.
        from livestudio import checks, schema, wiring  # noqa: F401 - see above

        checks.register_all()
        wiring.connect()
