"""Mail leaves through the server of EMAIL_URL, and a server that is down harms nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from tests.accounts.letters import Postman
from tests.accounts.smtp_server import smtp_server
from tests.factories import Cast, api_client
from tests.livestudio.test_settings import ROOT

RESET = "/api/v1/auth/password/reset/"


def test_server_of_email_url_gets_the_mail(tmp_path: Path) -> None:
    with smtp_server() as server:
        environment = {
            "PATH": os.environ["PATH"],
            "DATA_DIR": str(tmp_path),
            "EMAIL_URL": f"smtp://studio%40example.org:pass%2Fword@127.0.0.1:{server.port}",
            "EMAIL_FROM": "Studio <studio@example.org>",
        }
        command = [sys.executable, "manage.py", "sendtestemail", "dora@example.org"]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )

    assert done.returncode == 0, done.stderr
    mail = message_from_bytes(server.mails[0], policy=policy.default)
    assert (mail["To"], mail["From"]) == ("dora@example.org", "Studio <studio@example.org>")
    assert server.logins == [("studio@example.org", "pass/word")]


@pytest.mark.django_db
def test_letter_arrives_whole_over_the_wire(cast: Cast, postman: Postman, settings: Any) -> None:
    with smtp_server() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_PORT = server.port
        client = api_client(accept_language="zh-CN")
        answer = postman.after(lambda: client.post(RESET, {"email": "alice@example.org"}))

    mail = message_from_bytes(server.mails[0], policy=policy.default)
    assert answer.status_code == 204
    assert mail["Subject"] == "重设 LiveStudio 密码"
    text = mail.get_content()
    assert "alice，您好！" in text
    assert "http://testserver/account/password/" in text


@pytest.mark.django_db
def test_server_that_is_down_fails_no_request_and_not_the_next_mail(
    cast: Cast, postman: Postman, settings: Any, caplog: Any
) -> None:
    with smtp_server() as server:
        pass  # nobody listens on its port now
    working = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_PORT = server.port
    body = {"email": "alice@example.org"}

    lost = postman.after(lambda: api_client().post(RESET, body))
    settings.EMAIL_BACKEND = working
    sent = postman.after(lambda: api_client().post(RESET, body))

    assert lost.status_code == sent.status_code == 204
    assert len(postman.box) == 1
    assert "mail failed" in caplog.text
    assert "alice@example.org" not in caplog.text
