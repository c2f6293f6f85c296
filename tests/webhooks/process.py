"""Steps of the process test, each in a process of its own: they need a database on disk.

`python -m tests.webhooks.process prepare URL NUMBER` · `state` · `lapse` (claims run out)
"""

from __future__ import annotations

import json
import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "livestudio.settings")
django.setup()

from django.core.management import call_command  # noqa: E402 - after setup
from django.utils import timezone  # noqa: E402

from accounts.events import emit  # noqa: E402
from accounts.models import Organization  # noqa: E402
from accounts.roles import SYSTEM  # noqa: E402
from webhooks.models import WebhookDelivery  # noqa: E402
from webhooks.services.endpoints import create_webhook  # noqa: E402


def prepare(url: str, number: str) -> None:
    call_command("migrate", verbosity=0, interactive=False)
    organization = Organization.objects.create(name="Alice's studio")
    _, secret = create_webhook(organization=organization, values={"url": url}, actor=SYSTEM)
    for index in range(int(number)):
        emit(organization, "show.created", {"show": str(index), "title": "早安"})
    print(json.dumps({"secret": secret}))  # noqa: T201 - the answer


def state() -> None:
    rows = WebhookDelivery.objects.order_by("created_at", "id").values_list("state", "attempts")
    print(json.dumps(list(rows)))  # noqa: T201 - the answer


def lapse() -> None:
    WebhookDelivery.objects.exclude(claimed_until=None).update(claimed_until=timezone.now())


if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    {"prepare": prepare, "state": state, "lapse": lapse}[name](*arguments)
