"""Fields of the show editor for what the picture looks like: backgrounds and product cards."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from streams.models import Picture
from streams.services.cards import (
    CARD_PRICE_MAX_CHARACTERS,
    CARD_TEXT_MAX_CHARACTERS,
    CARD_TITLE_MAX_CHARACTERS,
    CARD_URL_MAX_BYTES,
)

COLOUR: Final = "colour"
_FIRST_COLOUR: Final = "#dfe6f4"
_DRAWN: Final = (
    ("studio", _("Studio, bright")),
    ("shop", _("Shop")),
    ("newsroom", _("Newsroom")),
    ("evening", _("Evening, by the window")),
    ("plain", _("Plain wall")),
    (COLOUR, _("One colour:")),
)
_CARD: Final = {
    "title": (_("product"), CARD_TITLE_MAX_CHARACTERS),
    "price": (_("price, such as ¥99.9"), CARD_PRICE_MAX_CHARACTERS),
    "text": (_("a line more"), CARD_TEXT_MAX_CHARACTERS),
    "url": (_("address for the QR code"), CARD_URL_MAX_BYTES),
}


class BackgroundWidget(forms.MultiWidget):
    """A list of backgrounds, and a colour beside it for the choice of one colour."""

    def __init__(self) -> None:
        colour = forms.TextInput(attrs={"type": "color", "aria-label": _("colour")})
        super().__init__([forms.Select(attrs={"aria-label": _("background")}), colour])

    def decompress(self, value: str | None) -> list[str]:
        if value and value.startswith("#"):
            return [COLOUR, value]
        return [value or "studio", _FIRST_COLOUR]


class BackgroundField(forms.MultiValueField):
    """A drawn background, an uploaded picture or a colour; cleaned to what `Show` stores."""

    def __init__(self, pictures: Iterable[Picture], **kwargs: Any) -> None:
        uploaded = [(str(picture.pk), picture.name) for picture in pictures]
        groups: list[Any] = [(_("Drawn"), list(_DRAWN))]
        groups += [(_("Your pictures"), uploaded)] if uploaded else []
        choice = forms.ChoiceField(choices=groups)
        widget = BackgroundWidget()
        widget.widgets[0].choices = choice.choices  # type: ignore[attr-defined]  # of a Select
        colour = forms.RegexField("^#[0-9a-fA-F]{6}$", required=False)
        super().__init__((choice, colour), widget=widget, require_all_fields=False, **kwargs)

    def compress(self, data_list: list[str]) -> str:
        if not data_list:
            return "studio"
        choice, colour = data_list
        return (colour or _FIRST_COLOUR) if choice == COLOUR else choice


class CardWidget(forms.MultiWidget):
    """The texts of a card below each other."""

    def __init__(self) -> None:
        super().__init__(
            {
                name: forms.TextInput(
                    attrs={"placeholder": label, "aria-label": label, "class": "card-text"}
                )
                for name, (label, _limit) in _CARD.items()
            }
        )

    def decompress(self, value: dict[str, str] | None) -> list[str]:
        return [(value or {}).get(name, "") for name in _CARD]


class CardField(forms.MultiValueField):
    """A product card; None when every text is blank."""

    def __init__(self, **kwargs: Any) -> None:
        fields = [
            forms.CharField(required=False, max_length=limit) for _label, limit in _CARD.values()
        ]
        kwargs |= {"required": False, "require_all_fields": False}
        super().__init__(fields, widget=CardWidget(), **kwargs)

    def compress(self, data_list: list[str]) -> dict[str, str] | None:
        texts = {name: text for name, text in zip(_CARD, data_list, strict=False) if text}
        return texts or None
