"""Texts of tenants and viewers that break pages: on every page of Chromium they stay text."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from django.contrib import admin
from django.urls import reverse
from playwright.sync_api import Browser, BrowserContext, Page

from tests.live.hostile_rows import HOSTILE
from tests.live.site import PASSWORD, ROOT, Site, new_site
from tests.live.studio import Studio
from tests.live.test_content_policy import _LISTEN

pytestmark = pytest.mark.live

# Every text of the page as somebody sees or hears it, blanks as they are.
_TEXTS = """() => {
  const texts = [];
  const walker = document.createTreeWalker(document, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!['SCRIPT', 'STYLE'].includes(node.parentNode.nodeName)) texts.push(node.data);
  }
  for (const element of document.querySelectorAll('*')) {
    for (const name of ['title', 'alt', 'aria-label', 'placeholder']) {
      if (element.hasAttribute(name)) texts.push(element.getAttribute(name));
    }
    if ('value' in element && typeof element.value === 'string') texts.push(element.value);
  }
  return texts;
}"""
# What the text has become, if it has become more than text.
_FOREIGN = """() => {
  const marks = ['x-owned', '[x-owned]', '[onerror]', '[onload]', '[href*="owned()" i]',
    '[src*="owned()" i]', '[action*="owned()" i]', '[formaction*="owned()" i]', '[srcdoc]'];
  const found = [...document.querySelectorAll(marks.join(','))].map((item) => item.outerHTML);
  return found.concat([...document.scripts].map((item) => item.text)
    .filter((text) => text.trim() === 'owned()'));
}"""
RECKONED: Final = "1337"  # 7*191
TAKES_MUCH: Final = ("admin:streams_show", "admin:accounts_organization")
# On no page: the API alone tells them, or they are kept for nobody.
UNSEEN: Final = frozenset({
    "accounts.AuditEntry.data",
    "accounts.DeviceSession.name",
    "accounts.OrganizationExport.file_name",
    "admin.LogEntry.object_repr",
    "metering.UsageEntry.title",
    "streams.BroadcastOutput.url",
    "streams.Cue.card",
    "streams.Occurrence.reason",
    "voices.Voice.failure_reason",
    "webhooks.WebhookAttempt.answer",
})  # fmt: skip


@dataclass(slots=True)
class Watched:
    """A signed-in visitor, what went wrong on the pages, and the texts that were seen."""

    context: BrowserContext
    page: Page
    wrong: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def note(self, what: str) -> None:
        """Something happened that no text may do."""
        self.wrong.append(f"{self.page.url}: {what}")

    def look(self) -> None:
        """Keep the texts of the page as it is now, and what of them is no text."""
        found: list[str] = self.page.evaluate(_TEXTS)
        for what in self.page.evaluate(_FOREIGN) + [text for text in found if RECKONED in text]:
            self.note(what)
        self.texts += found

    def has_seen(self, column: str) -> bool:
        """Whether its text was on a page, to the last character; as JSON where that was shown."""
        whole = f"{column} {HOSTILE}"
        forms = (whole, *(json.dumps(whole, ensure_ascii=ascii)[1:-1] for ascii in (True, False)))
        return any(form in text for form in forms for text in self.texts)


@contextmanager
def watched(browser: Browser, base_url: str) -> Iterator[Watched]:
    """A visitor of one site whose browser tells of scripts, dialogs and broken policies."""
    context = browser.new_context(base_url=base_url, locale="en-US")
    visitor = Watched(context, context.new_page())
    context.expose_function("noteViolation", lambda line: visitor.note(line))
    context.expose_function("owned", lambda: visitor.note("a script ran"))
    context.add_init_script(_LISTEN)
    context.set_default_timeout(120_000)
    visitor.page.on("dialog", lambda dialog: visitor.note(f"dialog: {dialog.message}"))
    yield visitor
    context.close()


@dataclass(frozen=True, slots=True)
class Filled:
    """A site whose every text is hostile."""

    site: Site
    columns: frozenset[str]
    broadcast: str
    avatar: str
    organization: str


@pytest.fixture(scope="module")
def filled() -> Iterator[Filled]:
    with new_site() as site:
        site.migrate()
        program = [sys.executable, "-m", "tests.live.hostile_rows"]
        subprocess.run(
            program, cwd=ROOT, env=site.environment, check=True, timeout=300, capture_output=True
        )
        rows = json.loads((site.folder / "hostile.json").read_text())
        web = site.start_web()
        try:
            yield Filled(site, **{**rows, "columns": frozenset(rows["columns"])})
        finally:
            web.kill()
            web.wait()


def test_every_text_of_a_row_is_seen_as_text(filled: Filled, browser: Browser) -> None:
    """A column that is new is filled too: it is shown somewhere, or it is named in UNSEEN."""
    with watched(browser, filled.site.base_url) as visitor:
        _sign_in(visitor.page, "alice", PASSWORD)
        _visit_studio(visitor, filled)
        _visit_admin(visitor, filled)

    assert visitor.wrong == []
    unseen = {name for name in filled.columns if not visitor.has_seen(name)}
    assert unseen == UNSEEN, "\n".join(sorted(unseen ^ UNSEEN))


@pytest.mark.long
def test_what_is_said_on_air_is_seen_as_text(studio: Studio, browser: Browser) -> None:
    """Through the real doors: the plan over REST, a line from the console, captions on air."""
    platform = studio.platform
    show = platform.make_test_show(
        title=f"t {HOSTILE}"[:120], profile="mobile", rundown_mode="loop",
        cues=[{"text": f"cue {HOSTILE}", "card": {"title": HOSTILE[:40]}}],
    )  # fmt: skip
    with platform.on_air(show) as broadcast, watched(browser, platform.base_url) as visitor:
        page = visitor.page
        _sign_in(page, platform.name, platform.password)
        page.goto(f"/studio/broadcasts/{broadcast}/")
        page.locator("[data-testid=monitor][data-state=live]").wait_for()
        page.get_by_test_id("say-text").fill(f"say {HOSTILE}")
        page.get_by_test_id("say-now").click()
        page.get_by_test_id("transcript").get_by_text(f"say {HOSTILE[:20]}").first.wait_for()
        visitor.look()
        page.goto(f"/watch/{broadcast}/")
        page.locator("[data-testid=watch-stage][data-state=live]").wait_for()
        page.get_by_test_id("watch-stage").hover()
        page.get_by_test_id("toggle-captions").click()
        page.get_by_test_id("watch-caption").get_by_text(HOSTILE[:20]).wait_for()
        visitor.look()

    assert visitor.wrong == []
    for start in ("t ", "cue ", "say "):
        assert any(f"{start}{HOSTILE}"[:100] in text for text in visitor.texts), start


def _sign_in(page: Page, name: str, password: str) -> None:
    page.goto("/studio/")
    page.get_by_test_id("username").fill(name)
    page.get_by_test_id("password").fill(password)
    page.get_by_test_id("sign-in").click()
    page.get_by_test_id("show-card").first.wait_for()


def _visit_studio(visitor: Watched, filled: Filled) -> None:
    page = visitor.page
    visitor.look()
    for path, shown in (
        ("voices/", "voice"),
        ("presenters/", "presenter"),
        (f"presenters/{filled.avatar}/", "build"),
        (f"broadcasts/{filled.broadcast}/", "utterance"),
        ("integrations/", "webhook"),
    ):
        page.goto(f"/studio/{path}")
        page.get_by_test_id(shown).first.wait_for()
        visitor.look()
    page.get_by_test_id("webhook-log").first.click()
    page.get_by_test_id("delivery").first.wait_for()
    visitor.look()


def _visit_admin(visitor: Watched, filled: Filled) -> None:
    page = visitor.page
    page.goto("/admin/")
    page.fill("[name=username]", "alice")
    page.fill("[name=password]", PASSWORD)
    page.click("[type=submit]")
    visitor.look()
    life = reverse("admin:accounts_organization_life", args=[filled.organization])
    for path in (reverse("admin:live"), reverse("admin:timeline"), life):
        page.goto(path)
        visitor.look()
    for model in admin.site._registry:
        _visit_rows(visitor, f"admin:{model._meta.app_label}_{model._meta.model_name}")


def _visit_rows(visitor: Watched, name: str) -> None:
    """The list of one model, one row of it, and what goes with it, if that is much."""
    page = visitor.page
    page.goto(reverse(f"{name}_changelist"))
    visitor.look()
    row: Any = page.locator("#result_list tbody tr th a").first.get_attribute("href")
    page.goto(row)
    visitor.look()
    if name in TAKES_MUCH:
        page.goto(f"{row.partition('change/')[0]}delete/")
        visitor.look()
