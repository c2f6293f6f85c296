"""System checks say what contradicts and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import RFC_4122

import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.checks import CheckMessage

from livestudio import checks
from livestudio.common.models import uuid7


def only(found: list[CheckMessage]) -> CheckMessage:
    (message,) = found
    assert message.hint
    return message


def test_embedded_site_on_the_network_is_a_warning(settings: Any) -> None:
    settings.HOST = "127.0.0.1"
    assert checks.check_embedded_exposure() == []
    settings.HOST = "0.0.0.0"

    assert only(checks.check_embedded_exposure()).id == "livestudio.W001"


def test_secret_that_others_can_read_is_an_error(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    secret = tmp_path / "secret_key"
    secret.touch(mode=0o600)
    assert checks.check_data_dir() == []
    secret.chmod(0o644)

    assert only(checks.check_data_dir()).id == "livestudio.E001"


def test_missing_frontend_is_told(settings: Any, tmp_path: Path) -> None:
    settings.FRONTEND_DIST = tmp_path
    assert only(checks.check_frontend()).id == "livestudio.I001"
    (tmp_path / "index.html").touch()

    assert checks.check_frontend() == []


@pytest.mark.django_db
@pytest.mark.database
def test_database_can_convert_time_zones() -> None:
    assert checks.check_time_zone_tables(databases=["default"]) == []


def test_ids_are_ordered_by_time_and_of_version_7() -> None:
    ids = [uuid7() for _ in range(200)]

    assert len(set(ids)) == 200
    assert all(item.version == 7 and item.variant == RFC_4122 for item in ids)
    assert [item.int >> 80 for item in ids] == sorted(item.int >> 80 for item in ids)


# Channels' refusal looks after old database connections, of which another test may have left one.
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("origin", "is_refused"),
    [
        (None, False),
        (b"http://studio.example.org", False),
        (b"https://app.example.org", False),
        (b"https://evil.example", True),
        (b"null", True),
    ],
)
async def test_websocket_of_a_page_of_another_site_is_refused(
    origin: bytes | None, is_refused: bool
) -> None:
    from livestudio.asgi import BrowserOriginValidator

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})

    guarded = BrowserOriginValidator(application, ["studio.example.org", "https://app.example.org"])
    headers = [(b"origin", origin)] if origin else []
    browser = ApplicationCommunicator(guarded, {"type": "websocket", "headers": headers})
    await browser.send_input({"type": "websocket.connect"})

    answer = await browser.receive_output()

    assert (answer["type"] == "websocket.close") is is_refused
