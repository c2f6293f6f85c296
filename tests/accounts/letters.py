"""Mail in tests: what a request causes to be sent, and the link in it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.core import mail

from accounts.mail import wait_until_sent

LINK = re.compile(r"http://testserver(/account/\S+)")


class Postman:
    """Runs a request and waits until its mails have left. box: all mails so far."""

    def __init__(self, capture: Any) -> None:
        self._capture = capture

    def after(self, request: Callable[[], Any]) -> Any:
        """The answer of the request, once what it commits was done."""
        with self._capture(execute=True):
            answer = request()
        wait_until_sent()
        return answer

    @property
    def box(self) -> list[Any]:
        return list(mail.outbox)

    def link(self) -> str:
        """The address in the newest mail, without the site."""
        found = LINK.search(str(self.box[-1].body))
        assert found is not None, self.box[-1].body
        return found.group(1)
