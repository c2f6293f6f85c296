"""The live page: every airing as a card, with buttons that call the same verbs as the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.actor import signed_in
from avatars.bundles import present_servers
from inference.model_servers import ServerState, read_state
from livestudio.common.admin import refusal_text
from livestudio.common.buttons import pressed_on
from livestudio.common.errors import DomainError, NotFoundError
from streams.access import get_broadcast_for
from streams.admin.cards import cards_of
from streams.verbs import VERBS, perform_and_wait

Body = dict[str, Any]


def _nothing(form: QueryDict) -> Body:
    return {}


def _say(form: QueryDict) -> Body:
    return {"text": form.get("text", ""), "interrupt": form.get("interrupt") == "true"}


def _key(form: QueryDict) -> Body:
    return {"id": form.get("id", ""), "stream_key": form.get("stream_key", "").strip()}


def _output(form: QueryDict) -> Body:
    return {"id": form.get("id", "")}


# What a form sends -> the body of the verb, and what is said when it was taken.
BUTTONS: Final[dict[str, tuple[Callable[[QueryDict], Body], Any]]] = {
    "stop": (
        lambda form: {"when": form.get("when") or "sentence_end"},
        gettext_lazy("%s is stopping."),
    ),
    "say": (_say, gettext_lazy("%s: the line is on its way.")),
    "interrupt": (
        lambda form: {"resume_after_seconds": 5},
        gettext_lazy("%s: interrupted; the script goes on in 5 seconds."),
    ),
    "skip": (_nothing, gettext_lazy("%s: on to the next cue.")),
    "pause": (_nothing, gettext_lazy("%s: the script pauses at the end of this sentence.")),
    "resume": (_nothing, gettext_lazy("%s: the script goes on.")),
    "output_replace_key": (_key, gettext_lazy("%s: the key is in use from now on.")),
    "output_start": (_output, gettext_lazy("%s: the output tries again.")),
    "output_stop": (_output, gettext_lazy("%s: the output stops.")),
}


@never_cache
@require_safe
def live_page(request: HttpRequest) -> HttpResponse:
    """Every airing of the user's organizations that is not over."""
    context = {
        **admin.site.each_context(request),
        "title": _("Live"),
        "cards": cards_of(signed_in(request)),
        "gpus": _gpus(request),
    }
    return TemplateResponse(request, "streams/admin/live.html", context)


@never_cache
@require_safe
def live_cards(request: HttpRequest) -> HttpResponse:
    """The cards alone: what the page asks for every few seconds."""
    context = {"cards": cards_of(signed_in(request)), "gpus": _gpus(request)}
    return TemplateResponse(request, "streams/admin/cards.html", context)


def _gpus(request: HttpRequest) -> list[ServerState]:
    """Each model server; the machine is the superusers' matter."""
    if not signed_in(request).is_superuser:
        return []
    return [read_state(server) for server in present_servers()]


@pressed_on(lambda broadcast_id, verb: reverse("admin:live"))
def press_button(request: HttpRequest, broadcast_id: UUID, verb: str) -> HttpResponse:
    """Do what a button says, tell the result, and go back to where it stood."""
    if verb not in BUTTONS:
        raise Http404
    user = signed_in(request)
    make_body, done = BUTTONS[verb]
    try:
        broadcast = get_broadcast_for(user, broadcast_id, VERBS[verb].permission)
    except NotFoundError as error:
        raise Http404 from error
    except DomainError as error:
        messages.error(request, refusal_text(error))
        return _back(request)
    title = str(broadcast.snapshot.get("title", ""))
    try:
        key = request.POST.get("idempotency_key") or None
        body = make_body(request.POST)
        perform_and_wait(verb, broadcast=broadcast, body=body, actor=user, idempotency_key=key)
    except DomainError as error:
        messages.error(request, f"{title}: {refusal_text(error)}")
    else:
        messages.success(request, str(done) % title)
    return _back(request)


def _back(request: HttpRequest) -> HttpResponse:
    target = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(target, {request.get_host()}, request.is_secure())
    return HttpResponseRedirect(target if is_ours else reverse("admin:live"))
