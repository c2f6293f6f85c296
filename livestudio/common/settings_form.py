"""Settings of an engine as fields of a form: one for each rule, judged by the rule itself.

    class VoiceForm(OneOrganizationForm, settings_fields(SETTINGS, WORDS)): ...

A field is named ENGINE__SETTING. The fields of the engines that were not chosen count for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from livestudio.common.errors import ErrorDetail
from livestudio.common.reasons import translate_reason
from livestudio.common.rules import Choice, Number, Rules, Text

_PREFIX: Final = "settings."
# A range narrower than this is set in twentieths.
_FINE_RANGE: Final = 10
_LONG_TEXT: Final = frozenset({"instructions"})


@dataclass(frozen=True, slots=True)
class Words:
    """How a setting is told: its name, a hint, what the engine takes when empty, its choices."""

    label: Any
    hint: Any = ""
    usual: str = ""
    choices: Mapping[str, Any] = field(default_factory=dict)


def settings_fields(rules: Mapping[str, Rules], words: Mapping[str, Words]) -> type[forms.Form]:
    """A form with the fields of all engines. words: by "engine.setting", else by "setting"."""
    found: dict[str, Any] = {
        field_name(engine, name): _field(rule, words.get(f"{engine}.{name}") or words[name], name)
        for engine, settings in rules.items()
        for name, rule in settings.items()
    }
    return type("SettingsFields", (forms.Form,), found)


def field_name(engine: str, setting: str) -> str:
    """The field of a setting."""
    return f"{engine}__{setting}"


def fieldset(title: Any, engine: str, names: Iterable[str], *, hint: str = "") -> Any:
    """A fieldset of the admin that the page shows for its engine alone."""
    classes = ("engine-settings", f"engine-{engine}")
    return (title, {"fields": tuple(names), "classes": classes, "description": hint})


def show_settings(form: Any, engine: str, settings: Any) -> None:
    """Put what is stored into the fields of its engine."""
    for name, value in settings.items() if isinstance(settings, dict) else ():
        form.initial.setdefault(field_name(engine, name), value)


def take_settings(form: Any, rules: Mapping[str, Rules]) -> dict[str, Any]:
    """What was given for the chosen engine; the errors of the other engines are dropped."""
    chosen = form.cleaned_data.get("engine", "")
    for engine, settings in rules.items():
        for name in settings if engine != chosen else ():
            form.errors.pop(field_name(engine, name), None)
    given = {
        name: form.cleaned_data.get(field_name(chosen, name)) for name in rules.get(chosen, ())
    }
    return {name: _plain(value) for name, value in given.items() if value not in (None, "")}


def add_details(form: Any, details: Iterable[ErrorDetail]) -> None:
    """Errors of a service, each beside the field that it names."""
    engine = form.cleaned_data.get("engine", "")
    for detail in details:
        name = detail.field
        if name.startswith(_PREFIX):
            name = field_name(engine, name.removeprefix(_PREFIX))
        known = name if name in form.fields else None
        form.add_error(known, str(detail.message))


def settings_text(settings: Any, words: Mapping[str, Words], engine: str) -> str:
    """Stored settings in one line, for who may only look."""
    if not isinstance(settings, dict) or not settings:
        return "-"
    known = {name: words.get(f"{engine}.{name}") or words.get(name) for name in settings}
    return " · ".join(f"{_label(known[name], name)}: {value}" for name, value in settings.items())


def _label(words: Words | None, name: str) -> str:
    return str(words.label) if words else name


def _plain(value: Any) -> Any:
    """24000, not 24000.0: that is how it is written over the API."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _field(rule: Choice | Number | Text, words: Words, name: str) -> forms.Field:
    common: dict[str, Any] = {
        "label": words.label, "help_text": words.hint, "required": False
    }  # fmt: skip
    if isinstance(rule, Choice):
        usual = format_lazy(_("usual: {value}"), value=words.choices.get(words.usual, words.usual))
        named = [(value, words.choices.get(value, value)) for value in rule.allowed]
        return forms.ChoiceField(choices=[("", usual), *named], **common)
    common["validators"] = [_judge(rule)]
    if isinstance(rule, Number):
        return forms.FloatField(widget=_number_input(rule, words), **common)
    attributes = {"placeholder": words.usual, "class": "vTextField"}
    if name in _LONG_TEXT:
        return forms.CharField(widget=forms.Textarea(attrs={"rows": 3, "cols": 60}), **common)
    return forms.CharField(widget=forms.TextInput(attrs=attributes), **common)


def _number_input(rule: Number, words: Words) -> forms.NumberInput:
    step = "0.05" if rule.highest - rule.lowest < _FINE_RANGE else "1"
    limits = {"min": f"{rule.lowest:g}", "max": f"{rule.highest:g}", "step": step}
    return forms.NumberInput(attrs={**limits, "placeholder": words.usual})


def _judge(rule: Number | Text) -> Any:
    def check(value: Any) -> None:
        if complaint := rule.complaint(value):
            raise ValidationError(translate_reason(complaint))

    return check
