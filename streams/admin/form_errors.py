"""What a service refuses becomes errors of a form's fields."""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import ValidationError

from livestudio.common.errors import InvalidInputError

# Fields that have another name in a form than over the API.
_FORM_FIELDS: Final = {
    "overlays.clock.timezone": "clock_timezone",
    "overlays.label.position": "label_position",
    "overlays.lower_third.name": "lower_third_name",
    "file": "upload",
    "card.picture": "card_picture",
    "card.title": "card",
    "card.text": "card",
    "card.price": "card",
    "card.url": "card",
}


def with_form_errors(form: Any, check: Any) -> None:
    """Run a check of a service; what it refuses becomes errors of the form's fields."""
    try:
        check()
    except InvalidInputError as error:
        for detail in error.details or ():
            field = _FORM_FIELDS.get(detail.field) or detail.field.rpartition(".")[2]
            known = field if field in form.fields else None
            form.add_error(known, ValidationError(detail.message))
        if not error.details:
            form.add_error(None, ValidationError(error.message))
