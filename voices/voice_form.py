"""The form of a voice: its engine with the settings of that engine, and the words it reads."""

from __future__ import annotations

import copy
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.forms.models import BaseInlineFormSet
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from inference.catalog import ENGINES, LANGUAGES, EngineEntry
from livestudio.common.admin import OneOrganizationForm
from livestudio.common.errors import ErrorDetail, InvalidInputError
from livestudio.common.settings_form import (
    add_details,
    field_name,
    fieldset,
    settings_fields,
    show_settings,
    take_settings,
)
from voices import pronunciations
from voices.settings_words import WORDS
from voices.validators import (
    API_KEY_MAX_CHARACTERS,
    SERVER_ENGINES,
    SETTINGS,
    check_api_key,
    check_voice,
)


def engine_label(entry: EngineEntry) -> str:
    """Of an engine, in the language of the page."""
    return entry.label_zh if (get_language() or "").startswith("zh") else entry.label_en


def _engines() -> list[tuple[str, str]]:
    return [(e.name, engine_label(e)) for e in ENGINES if e.kind == "speech"]


class VoiceForm(OneOrganizationForm, settings_fields(SETTINGS, WORDS)):  # type: ignore[misc]  # made
    """A voice and the settings of its engine, each in a field with its error beside it."""

    engine = forms.ChoiceField(label=_("engine"), choices=_engines)
    api_key = forms.CharField(
        label=_("API key"),
        required=False,
        max_length=API_KEY_MAX_CHARACTERS,
        strip=False,
        # render_value is off: the page never holds the key, not even after a mistake elsewhere.
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "off"}),
        help_text=_("Leave empty to keep the present one. It is sealed and never shown again."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stored = copy.deepcopy(self.instance.settings)
        show_settings(self, self.instance.engine, self._stored)

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if values.get("engine") not in SERVER_ENGINES:
            # Typed for another engine, in a part of the page that is hidden now.
            self.errors.pop("api_key", None)
            values["api_key"] = ""
        self.instance.settings = values["settings"] = take_settings(self, SETTINGS)
        if not self.errors:
            self._check(values)
        if self._needs_key_again(values):
            self.add_error("api_key", _("Give the API key again with a new address."))
        return values

    def _check(self, values: dict[str, Any]) -> None:
        engine = values["engine"]
        try:
            check_api_key(values.get("api_key") or "", engine=engine)
            check_voice(engine=engine, language=values["language"], settings=values["settings"])
        except InvalidInputError as error:
            add_details(self, error.details)

    def _needs_key_again(self, values: dict[str, Any]) -> bool:
        """A key must not follow to a server it was not meant for."""
        if not self._stored or not self.instance.has_api_key:
            return False
        is_moved = values["settings"].get("base_url") != self._stored.get("base_url")
        return is_moved and values.get("engine") in SERVER_ENGINES and not values.get("api_key")


def settings_fieldsets() -> list[Any]:
    """One for each engine, titled by it; the key is asked for where a server may want it."""
    found = []
    for entry in ENGINES:
        if entry.kind == "speech":
            names = [field_name(entry.name, name) for name in SETTINGS[entry.name]]
            keys = ["api_key"] if entry.name in SERVER_ENGINES else []
            title = _("Settings: %(engine)s") % {"engine": engine_label(entry)}
            found.append(fieldset(title, entry.name, [*names, *keys]))
    return found


_READINGS: Final = {
    "word_unspeakable": _("Give a word with letters, digits or characters."),
    "pinyin_unknown": _("One of these pinyin syllables does not exist."),
    "pinyin_malformed": _("Write each syllable with its tone from 1 to 5, as in ni3 hao3."),
    "reading_malformed": _("Write plain letters or Chinese characters, without signs."),
    "other_language": _("This voice speaks another language."),
    "unique": _("The list has this word already."),
}


def reading_text(detail: ErrorDetail) -> str:
    """A refusal of the list in the reader's language."""
    return str(_READINGS.get(detail.code, detail.message))


class PronunciationForm(OneOrganizationForm):
    """A word of the list with the rules of its service, refused in the reader's language."""

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # a hook of Django without types
        if self.errors or self.instance.organization_id is None:
            return
        try:
            pronunciations.check_pronunciation(self.instance)
        except InvalidInputError as error:
            for detail in error.details:
                field = detail.field if detail.field in self.fields else None
                self.add_error(field, reading_text(detail))


class WordFormSet(BaseInlineFormSet):  # type: ignore[type-arg]  # not generic when it runs
    """Words that one voice reads in its own way: of its organization and in its language.

    actor: who saves them, through the services.
    """

    actor: Any = None

    def _construct_form(self, i: int, **kwargs: Any) -> Any:
        form = super()._construct_form(i, **kwargs)  # type: ignore[misc]  # a hook as well
        voice = self.instance
        form.instance.voice = voice
        form.instance.language = voice.language
        # Without a language the form of the voice is refused; its words are judged after that.
        is_known = voice.language in LANGUAGES
        form.instance.organization_id = voice.organization_id if is_known else None
        return form

    def clean(self) -> None:
        """Refuse a word that stands in two rows, at the second of them."""
        super().clean()
        seen: set[str] = set()
        for form in self.forms:
            word = getattr(form, "cleaned_data", {}).get("text", "").strip().casefold()
            if not word or form in self.deleted_forms:
                continue
            if word in seen:
                form.add_error("text", ValidationError(_READINGS["unique"]))
            seen.add(word)

    def save_new(self, form: Any, commit: bool = True) -> Any:
        return pronunciations.create_pronunciation(
            organization=self.instance.organization, values=self._values(form), actor=self.actor
        )

    def save_existing(self, form: Any, obj: Any, commit: bool = True) -> Any:
        values = self._values(form)
        return pronunciations.update_pronunciation(row=obj, values=values, actor=self.actor)

    def delete_existing(self, obj: Any, commit: bool = True) -> None:
        pronunciations.delete_pronunciation(row=obj, actor=self.actor)

    def _values(self, form: Any) -> dict[str, Any]:
        given = {name: form.cleaned_data[name] for name in ("text", "reading")}
        return {"language": self.instance.language, "voice": self.instance, **given}
