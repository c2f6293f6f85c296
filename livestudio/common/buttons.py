"""Admin addresses that a button posts to, and that do nothing for who comes there otherwise."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

View = Callable[..., HttpResponseBase]


def pressed_on(page_of: Callable[..., str]) -> Callable[[View], View]:
    """Lead back to the page of the button whoever did not press it.

    Who was signed out meanwhile comes from the sign-in by a link, which presses nothing. page_of:
    the page's address, of what the address of the button names.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def pressed(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method == "POST":
                return view(request, *args, **kwargs)
            messages.warning(request, _("Nothing was done. Press the button again."))
            return HttpResponseRedirect(page_of(**kwargs))

        return require_http_methods(["GET", "HEAD", "POST"])(pressed)

    return decorate
