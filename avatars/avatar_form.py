"""The form of a presenter: what it is drawn or filmed of, with the settings of its engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from avatars.marks import MarksField
from avatars.models import Avatar
from avatars.uploads import LANDMARKS_MAX_BYTES, UPLOAD_MAX_BYTES
from avatars.validators import SETTINGS, check_avatar
from inference.catalog import ENGINES, PRESENTERS, EngineEntry
from livestudio.common.admin import OneOrganizationForm
from livestudio.common.errors import InvalidInputError
from livestudio.common.file_picker import FilePicker
from livestudio.common.rules import Rules
from livestudio.common.settings_form import (
    Words,
    add_details,
    field_name,
    fieldset,
    settings_fields,
    show_settings,
    take_settings,
)

FILMED: Final = frozenset(e.name for e in ENGINES if e.kind == "face" and e.builder)
LICENCES_MAXIMUM: Final = 20
LICENCE_MAX_CHARACTERS: Final = 200
_DRAWN: Final = "puppet"
# A drawn presenter and its outfit are one choice, not two settings.
_RULES: Final[Mapping[str, Rules]] = {**SETTINGS, _DRAWN: {}}

WORDS: Final[dict[str, Words]] = {
    "character": Words(_("presenter")),
    "outfit": Words(_("outfit")),
    "version": Words(_("version of the network"), usual="v1.5"),
    "decoder": Words(
        _("drawing of the mouth"),
        _("Tiny is faster and less sharp."),
        "kl",
        {"kl": _("full"), "tiny": _("tiny")},
    ),
    "device": Words(
        _("runs on"),
        _("By itself it takes the GPU where there is one."),
        "auto",
        {"auto": _("by itself"), "cpu": "CPU", "cuda": "GPU (CUDA)"},
    ),
    "precision": Words(
        _("precision of numbers"), _("By itself is right for nearly all GPUs."), "auto",
        {"auto": _("by itself")},
    ),
}  # fmt: skip


def _label(entry: EngineEntry) -> str:
    return entry.label_zh if (get_language() or "").startswith("zh") else entry.label_en


def _engines() -> list[tuple[str, str]]:
    return [(e.name, _label(e)) for e in ENGINES if e.kind == "face"]


class LicencesField(forms.CharField):
    """One licence in each line; cleaned to the list that is stored."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(widget=forms.Textarea(attrs={"rows": 3, "cols": 60}), **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(str(item) for item in value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        lines = [line.strip() for line in super().clean(value).splitlines() if line.strip()]
        if len(lines) > LICENCES_MAXIMUM or any(len(x) > LICENCE_MAX_CHARACTERS for x in lines):
            raise forms.ValidationError(
                _("Give at most %(count)s lines of at most %(length)s characters."),
                params={"count": LICENCES_MAXIMUM, "length": LICENCE_MAX_CHARACTERS},
            )
        return lines


class AvatarForm(OneOrganizationForm, settings_fields(_RULES, WORDS)):  # type: ignore[misc]  # made
    engine = forms.ChoiceField(label=_("engine"), choices=_engines)
    presenter = forms.ChoiceField(
        label=_("presenter"),
        required=False,
        choices=[
            ("", "---------"),
            *(
                (
                    f"{item.character}/{outfit.name}",
                    f"{item.label}: {outfit.label_zh} · {outfit.label_en}",
                )
                for item in PRESENTERS
                for outfit in item.outfits
            ),
        ],
    )

    film = forms.FileField(
        label=_("film, photo or zip"),
        required=False,
        widget=FilePicker(most_bytes=UPLOAD_MAX_BYTES),
        help_text=_(
            "Of the person, or a presenter that was built elsewhere: it becomes the next version."
        ),
    )
    landmarks = forms.FileField(
        label=_("face points"),
        required=False,
        widget=FilePicker(most_bytes=LANDMARKS_MAX_BYTES),
        help_text=_("A JSON file with face points, if you have your own."),
    )
    marks = MarksField(
        label=_("marks on the photo"),
        required=False,
        help_text=_(
            "A photo that is to speak: one person, straight into the camera, lips closed, eyes "
            "open, even light, the face at least 200 px wide. Hands, glances and a turned head "
            "are not in it. Where its face is not found by itself, drag each mark to its place."
        ),
    )

    licences = LicencesField(
        label=_("licences"),
        required=False,
        help_text=_("Of the pictures and films, one in each line. They are shown with it."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["presenter"].initial = _presenter_of(self.instance)
        show_settings(self, self.instance.engine, self.instance.settings)

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        values["settings"] = {**take_settings(self, _RULES), **self._drawn(values)}
        self.instance.settings = values["settings"]
        is_new = self.instance._state.adding
        if is_new and values.get("engine") in FILMED and not values.get("film"):
            self.add_error("film", _("Upload a video or photo of the presenter."))
        try:
            check_avatar(engine=values.get("engine", ""), settings=values["settings"])
        except InvalidInputError as error:
            if "engine" in values:
                add_details(self, error.details)
        return values

    def _drawn(self, values: dict[str, Any]) -> dict[str, Any]:
        """The settings of a chosen presenter; those stored by the API stay while none is chosen."""
        if values.get("engine") != _DRAWN:
            return {}
        if "presenter" not in self.changed_data or not values.get("presenter"):
            return dict(self.instance.settings) if self._was_drawn() else {}
        character, _separator, outfit = values["presenter"].partition("/")
        return {"character": character, "outfit": outfit}

    def _was_drawn(self) -> bool:
        return bool(self.initial.get("engine") == _DRAWN)


def engine_fieldsets() -> list[Any]:
    """Each is shown for the engines that it is about."""
    filmed = " ".join(f"engine-{name}" for name in sorted(FILMED))
    film = {"fields": ("film", "landmarks", "marks"), "classes": ("engine-settings", filmed)}
    found = [fieldset(_("Drawn presenter"), _DRAWN, ["presenter"]), (_("Upload"), film)]
    for entry in ENGINES:
        names = [field_name(entry.name, name) for name in _RULES.get(entry.name, ())]
        if entry.kind == "face" and names:
            title = _("Settings: %(engine)s") % {"engine": _label(entry)}
            found.append(fieldset(title, entry.name, names))
    return found


def uploads_of(form: Any) -> dict[str, Any]:
    """The film and its face points, given as a file or marked on the photo."""
    values = form.cleaned_data
    points = values.get("landmarks") or values.get("marks")
    return {"file": values.get("film"), "landmarks": points}


def _presenter_of(avatar: Avatar) -> str:
    """The drawn presenter and outfit that an avatar's settings name, as the form chooses them."""
    for item in PRESENTERS:
        if avatar.engine == "puppet" and avatar.settings.get("character") == item.character:
            return f"{item.character}/{avatar.settings.get('outfit', item.outfits[0].name)}"
    return ""
