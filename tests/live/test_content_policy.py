"""Every page in Chromium, admin included: nothing on it breaks the content policy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.urls import URLPattern, reverse
from playwright.sync_api import Browser, BrowserContext, Error, Page

from tests.live.studio import Studio

pytestmark = pytest.mark.live

_LISTEN = """document.addEventListener('securitypolicyviolation', (event) => window.noteViolation(
  `${location.pathname}: ${event.effectiveDirective} ${event.blockedURI} ${event.sample}`))"""
# Data, forms without a page, and what signs out or in.
NO_PAGES = {
    "app_list", "autocomplete", "choose_organization", "jsi18n", "language", "live_cards", "login",
    "logout",
}  # fmt: skip
PUBLIC_PAGES = (
    "/nothing/",
    "/account/password/",
    "/account/verify/x/",
    "/account/invitation/x/",
    "/api/v1/docs/",
    "/admin/",
)
ONE_ROW = "#result_list tbody tr th a"


@pytest.fixture(scope="module")
def broadcast(studio: Studio) -> Iterator[str]:
    cue = {"text": "第一句。", "card": {"title": "杯子", "url": "https://shop.example.org/1"}}
    show = studio.platform.make_test_show(cues=[cue], profile="mobile", rundown_mode="loop")
    with studio.platform.on_air(show) as broadcast:
        yield broadcast


@pytest.fixture
def violations() -> list[str]:
    return []


@pytest.fixture
def context(browser: Browser, violations: list[str]) -> Iterator[BrowserContext]:
    context = browser.new_context()
    context.expose_function("noteViolation", lambda line: violations.append(line))
    context.add_init_script(_LISTEN)
    context.set_default_timeout(120_000)
    yield context
    context.close()


def test_studio_and_watch_page_keep_the_policy(
    studio: Studio, broadcast: str, context: BrowserContext, violations: list[str]
) -> None:
    page, base = context.new_page(), studio.platform.base_url
    page.goto(f"{base}/studio/")
    page.get_by_test_id("username").fill(studio.platform.name)
    page.get_by_test_id("password").fill(studio.platform.password)
    page.get_by_test_id("sign-in").click()
    page.get_by_test_id("show-card").first.wait_for()
    page.goto(f"{base}/studio/voices/")
    page.get_by_test_id("voice").first.wait_for()
    page.goto(f"{base}/studio/broadcasts/{broadcast}/")
    page.locator("[data-testid=monitor][data-state=live]").wait_for()
    page.get_by_test_id("caption-view").click()
    page.get_by_test_id("help").click()
    page.locator("dialog[open]").wait_for()
    page.goto(f"{base}/watch/{broadcast}/")
    page.locator("[data-testid=watch-stage][data-state=live]").wait_for()
    assert violations == []

    # The count is worth something only if the policy is at work and is listened to.
    with pytest.raises(Error, match="TrustedHTML"):
        page.evaluate("document.body.innerHTML = '<b>x</b>'")
    for _ in range(600):  # the browser tells of it later
        if violations:
            break
        page.wait_for_timeout(100)
    assert any("require-trusted-types-for" in line for line in violations)


@pytest.mark.long
def test_admin_and_account_pages_keep_the_policy(
    studio: Studio, broadcast: str, context: BrowserContext, violations: list[str]
) -> None:
    page, base = context.new_page(), studio.platform.base_url
    for path in PUBLIC_PAGES:
        page.goto(f"{base}{path}")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", (studio.site.folder / "admin_password").read_text().strip())
    page.click("[type=submit]")
    visited = sum(visit(page, f"{base}{path}") for path in admin_pages())

    assert visited > 40
    assert violations == []


def admin_pages() -> list[str]:
    """Every address of the admin that needs no row."""
    views = [item for item in admin.site.get_urls() if isinstance(item, URLPattern)]
    names = [item.name for item in views if item.name and not item.pattern.converters]
    paths = [reverse(f"admin:{name}") for name in names if name not in NO_PAGES]
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        paths += [reverse(f"{name}_changelist"), reverse(f"{name}_add")]
    return paths


def visit(page: Page, url: str) -> int:
    """Open a page, of a list its first row and that row's history too; how many were opened."""
    answer: Any = page.goto(url)
    if answer.status == 403:
        return 0  # nobody may add such a row
    assert answer.status == 200, url
    row = page.locator(ONE_ROW).first
    if not row.count():
        return 1
    change = str(row.get_attribute("href"))
    base = url.partition("/admin/")[0]
    page.goto(f"{base}{change}")
    page.goto(f"{base}{change.partition('change/')[0]}history/")
    return 3
