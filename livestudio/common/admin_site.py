"""The admin site with pages of our own: apps add theirs, the site links and protects them.

    site.add_page(Page("live/", live_view, "live", _("Live"), is_linked=True))
    site.add_panel(Panel("streams/admin/panel.html", panel_context))

Pages linked in the header come before everything else on the index too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final

from django.contrib.admin import AdminSite
from django.contrib.admin import site as _site
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.translation import gettext as _
from django.views.i18n import set_language

from livestudio.common.buttons import pressed_on
from livestudio.common.errors import DomainError
from livestudio.common.reasons import translate_reason
from livestudio.common.throttles import SignInThrottle

CHOSEN_ORGANIZATION: Final = "admin_organization"


@dataclass(frozen=True, slots=True)
class Page:
    """One address below /admin/. label: lazy text of its link; only linked pages need one."""

    route: str
    view: Callable[..., HttpResponseBase]
    name: str
    label: Any = ""
    is_linked: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """A part of the index page. context: what its template shows to the user of the request."""

    template: str
    context: Callable[[HttpRequest], dict[str, Any]]


# What a host works with every day comes first; the rest follows by its name.
APP_ORDER: Final = ("streams", "avatars", "voices", "accounts", "metering", "webhooks")
MODEL_ORDER: Final = ("Show", "Broadcast", "Output", "Picture", "Recording")


class StudioAdminSite(AdminSite):
    """Django's site with further pages, and panels on its index."""

    site_header = site_title = "LiveStudio"
    enable_nav_sidebar = True

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self._pages: list[Page] = []
        self._panels: list[Panel] = []
        self._narrow: Callable[[Any, str], bool] = lambda user, organization_id: False
        self._choices: Callable[[Any], list[Any]] = lambda user: []
        self._password_work: Callable[[str], AbstractContextManager[None]] = lambda address: (
            nullcontext()
        )

    @property
    def index_title(self) -> str:  # type: ignore[override]  # lazy: in the reader's language
        return _("Control room")

    def add_page(self, page: Page) -> None:
        """Serve a view to those who may open the admin. Call while apps load."""
        self._pages.append(page)

    def add_panel(self, panel: Panel) -> None:
        """Show a panel on the index, in the order of adding."""
        self._panels.append(panel)

    def set_switch(
        self, narrow: Callable[[Any, str], bool], choices: Callable[[Any], list[Any]]
    ) -> None:
        """How a user is narrowed to one organization, and which there are to choose from."""
        self._narrow, self._choices = narrow, choices

    def set_password_work(self, places: Callable[[str], AbstractContextManager[None]]) -> None:
        """What is held while an address has the hash of a password computed."""
        self._password_work = places

    def get_urls(self) -> list[URLPattern | URLResolver]:
        own: list[URLPattern | URLResolver] = [
            path(page.route, self.admin_view(page.view), name=page.name) for page in self._pages
        ]
        return [path("language/", set_language, name="language"), *own, *super().get_urls()]

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Django's, narrowed to the organization that the user works in, if one was chosen."""
        inner = super().admin_view(view, cacheable)

        @wraps(inner)
        def narrowed(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            chosen, user = request.session.get(CHOSEN_ORGANIZATION), request.user
            # One who has left it meanwhile sees the others again.
            if chosen and user.is_authenticated and not self._narrow(user, chosen):
                del request.session[CHOSEN_ORGANIZATION]
            return inner(request, *args, **kwargs)

        return narrowed

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context = super().each_context(request)
        choices = self._choices(request.user) if context["has_permission"] else []
        more = {"studio_pages": self._links(request), "organization_choices": choices}
        return {**context, **more}

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Django's page; 429 with Retry-After when its form says how long to wait."""
        answer = super().login(request, extra_context)
        form = (getattr(answer, "context_data", None) or {}).get("form")
        wait_seconds = getattr(form, "retry_after_seconds", None)
        if wait_seconds is not None:
            answer.status_code = 429
            answer["Retry-After"] = str(wait_seconds)
        return answer

    def logout(  # type: ignore[override]  # as Django's, but for who comes by a link
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        """Django's page, which a button of every page posts to."""
        page = pressed_on(lambda: reverse(f"{self.name}:index"))
        return page(super().logout)(request, extra_context)

    def password_change(  # type: ignore[override]  # its type forgets redirects
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Django's page; each try computes two hashes."""
        return self.hashing(
            request, lambda: super(StudioAdminSite, self).password_change(request, extra_context)
        )

    def hashing(self, request: HttpRequest, view: Callable[[], HttpResponse]) -> HttpResponse:
        """The answer of a view whose form computes hashes of passwords.

        As often as an address may sign in, and within its places; else 429 or 503.
        """
        if request.method != "POST":
            return view()
        throttle = SignInThrottle()
        if not throttle.allow_request(request, None):
            return _wait(_("Too many tries. Wait a minute."), 429, throttle.wait())
        try:
            with self._password_work(throttle.get_ident(request)):
                return view()
        except DomainError as error:
            if error.retry_after_seconds is None:
                raise
            return _wait(translate_reason(error.message), error.status, error.retry_after_seconds)

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        panels = [(panel.template, panel.context(request)) for panel in self._panels]
        return super().index(request, {**(extra_context or {}), "panels": panels})

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        apps: list[Any] = super().get_app_list(request, app_label)
        for app in apps:
            app["models"].sort(key=lambda model: _place(MODEL_ORDER, model["object_name"]))
        return sorted(apps, key=lambda app: _place(APP_ORDER, app["app_label"]))

    def _links(self, request: HttpRequest) -> list[dict[str, Any]]:
        linked = [page for page in self._pages if page.is_linked]
        links = [(page.label, reverse(f"{self.name}:{page.name}")) for page in linked]
        return [
            {"label": label, "url": url, "is_current": request.path == url} for label, url in links
        ]


def _wait(text: str, status: int, seconds: float) -> HttpResponse:
    answer = HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
    answer["Retry-After"] = str(math.ceil(seconds))
    return answer


def _place(order: tuple[str, ...], name: str) -> int:
    return order.index(name) if name in order else len(order)


def studio_site() -> StudioAdminSite:
    """The site as the one we made it. Raises TypeError when settings name another."""
    found: Any = _site
    if not isinstance(found, StudioAdminSite):
        raise TypeError("INSTALLED_APPS must name livestudio.common.admin_config.StudioAdminConfig")
    return found
