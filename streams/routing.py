"""Websocket addresses."""

from __future__ import annotations

from typing import Any

from django.urls import path, re_path

from streams.consumers.base import NoSuchSocket
from streams.consumers.console import ConsoleConsumer
from streams.consumers.runner_link import RunnerLinkConsumer
from streams.consumers.watch import WatchConsumer

_PREFIX = "ws/v1/broadcasts/<uuid:broadcast_id>/"

# Channels takes ASGI applications where Django's types ask for views.
_console: Any = ConsoleConsumer.as_asgi()
_watch: Any = WatchConsumer.as_asgi()
_runner: Any = RunnerLinkConsumer.as_asgi()
_no_such_socket: Any = NoSuchSocket.as_asgi()

websocket_urlpatterns = [
    path(f"{_PREFIX}console/", _console),
    path(f"{_PREFIX}watch/", _watch),
    path("ws/v1/runner/", _runner),
    re_path("", _no_such_socket),
]
