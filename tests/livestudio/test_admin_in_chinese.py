"""The admin in Chinese shows no English name of ours, on any page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from django.contrib import admin
from django.db import models
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Consent, User
from accounts.roles import SYSTEM
from inference.catalog import EXPRESSIONS, GESTURES
from inference.models import Node, Runner
from metering.models import Plan
from metering.services import plans
from streams.models.rundown import EXPRESSION_LABELS, GESTURE_LABELS
from tests.livestudio.test_translations import LEFT_BY_DJANGO, catalog
from tests.permissions.world import World, make_worlds

pytestmark = pytest.mark.django_db

# Attributes that a person reads or hears. `alt` of an icon is Django's own.
READ = ("title", "placeholder", "aria-label")
OURS = ("accounts", "metering", "avatars", "voices", "webhooks", "streams", "inference")
PAGES = ("changelist", "add", "change", "delete", "history")


class Reader(HTMLParser):
    """Everything on a page that a person reads."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: set[str] = set()
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("script", "style")
        values = dict(attrs)
        is_button = tag == "input" and values.get("type") in ("submit", "button")
        for name in (*READ, "value") if is_button else READ:
            self._add(values.get(name) or "")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._add(data)

    def _add(self, text: str) -> None:
        # A filter is headed "以 organization", a label ends with a colon.
        bare = re.sub(r"^(以|›|\d+)\s+|[:：*]\s*$", "", " ".join(text.split()))
        self.texts.add(bare.strip().casefold())


@pytest.fixture
def world() -> World:
    world, _ = make_worlds()
    organization = world.cast.organization
    Consent.objects.create(organization=organization, subject="丁", scope=Consent.Scope.FACE)
    now = timezone.now()
    Node.objects.create(name="node-1", last_seen_at=now)
    Runner.objects.create(
        broadcast=world.broadcast.pk, lease_epoch=1, launcher="local", started_at=now
    )
    plan = Plan.objects.create(name="小")
    quota = plans.assign_plan(organization=organization, plan=plan, actor=SYSTEM)
    quota.overrides.create(meter="voices", limit=9)
    return world


def addresses() -> Iterator[str]:
    """Every page of the admin: of each model, and those beside the models."""
    for model in admin.site._registry:
        row = model._default_manager.first()
        assert row is not None, f"no {model.__name__} to look at"
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        for page in PAGES:
            yield reverse(f"{name}_{page}", args=[row.pk] if page in PAGES[2:] else [])
    yield from map(reverse, ("admin:index", "admin:password_change", "admin:live"))
    for view in ("day", "week"):
        yield f"{reverse('admin:timeline')}?view={view}"
    yield reverse("admin_password_reset")


def english() -> set[str]:
    """What must not be read: texts that are translated, and names Django makes of fields."""
    translated = {source for source, target in catalog().items() if source != target}
    names = {
        field.name.replace("_", " ")
        for model in admin.site._registry
        if model._meta.app_label in OURS
        for field in model._meta.get_fields()
        if isinstance(field, models.Field)
    }
    found = {text.casefold() for text in translated | names | LEFT_BY_DJANGO}
    # The name that a language has of itself, and what is the same word in both.
    return found - {"", "english", "id"}


def test_no_page_of_the_admin_has_english_names(world: World) -> None:
    root = User.objects.create_superuser("Wurzel", "root@example.org", "geheim-3817")
    client = Client(headers={"accept-language": "zh-hans"})
    client.force_login(root)
    forbidden, shown, read = english(), {}, 0

    for address in addresses():
        answer = client.get(address, follow=True)
        if answer.status_code == 200 and "html" in answer["Content-Type"]:
            reader = Reader()
            reader.feed(answer.content.decode())
            read += 1
            for text in reader.texts & forbidden:
                shown.setdefault(text, address)

    assert shown == {}
    assert read > 60
    assert "organization" in forbidden


def test_every_expression_and_gesture_has_a_label() -> None:
    assert tuple(EXPRESSION_LABELS) == EXPRESSIONS
    assert tuple(GESTURE_LABELS) == GESTURES
