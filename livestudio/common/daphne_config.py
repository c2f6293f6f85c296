"""Daphne as an app of Django, for its `runserver`."""

from __future__ import annotations

from django.apps import AppConfig


class DaphneConfig(AppConfig):
    """Without Daphne's server: its own loads that, and Twisted, in each process that serves nobody.

    That is a sixth of their start.
    """

    name = "daphne"
