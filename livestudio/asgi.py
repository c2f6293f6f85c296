"""ASGI entry point: HTTP by Django, websockets by Channels."""

from __future__ import annotations

import os
import sys
from urllib.parse import ParseResult

import django

from livestudio.env import SettingError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "livestudio.settings")
try:
    django.setup(set_prefix=False)
except SettingError as error:
    sys.exit(str(error))

# The models must be loaded before the consumers are imported.
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402 - see above
from channels.security.websocket import OriginValidator  # noqa: E402 - see above
from django.conf import settings  # noqa: E402 - see above

from livestudio import web_limits  # noqa: E402 - see above
from livestudio.handler import ThreadedHandler  # noqa: E402 - see above
from streams.routing import websocket_urlpatterns  # noqa: E402 - see above


class BrowserOriginValidator(OriginValidator):
    """Refuses pages of other sites. Runners and scripts send no Origin: their token decides."""

    def valid_origin(self, parsed_origin: ParseResult | None) -> bool:
        return parsed_origin is None or bool(self.validate_origin(parsed_origin))


web_limits.install()
application = ProtocolTypeRouter(
    {
        "http": ThreadedHandler(),
        "websocket": BrowserOriginValidator(
            URLRouter(websocket_urlpatterns),
            [*settings.ALLOWED_HOSTS, *settings.CORS_ALLOWED_ORIGINS],
        ),
    }
)
