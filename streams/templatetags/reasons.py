"""`{{ broadcast.reason|reason }}`: what went wrong, in the reader's language."""

from __future__ import annotations

from django import template

from livestudio.common.reasons import translate_reason

register = template.Library()
register.filter("reason", translate_reason)
