"""Filters of lists in the query; a name or a value that is not known is refused, never ignored."""

from __future__ import annotations

from typing import Any

from django_filters import rest_framework as filters

from livestudio.common.errors import ErrorDetail, InvalidInputError
from livestudio.common.pagination import page_parameters


class StrictFilterBackend(filters.DjangoFilterBackend):
    """The `filterset_class` of a view, with an error for each name that it does not have."""

    def filter_queryset(self, request: Any, queryset: Any, view: Any) -> Any:
        """Raises InvalidInputError for a name, DRF's ValidationError for a value."""
        filterset = getattr(view, "filterset_class", None)
        names = [*(filterset.base_filters if filterset else ()), *page_parameters(view)]
        names += getattr(view, "other_parameters", ())
        unknown = [name for name in request.query_params if name not in names]
        if unknown:
            message = f"There is no such filter. There are: {', '.join(names)}."
            details = tuple(ErrorDetail(name[:80], "unknown", message) for name in unknown)
            raise InvalidInputError(message, details=details)
        return super().filter_queryset(request, queryset, view)


def _told(choices: Any) -> dict[str, str]:
    words = (str(choice[0]) for choice in choices)
    return {"invalid_choice": f"Choose from: {', '.join(words)}."}


class WordFilter(filters.ChoiceFilter):
    """One of the allowed words."""

    def __init__(self, choices: Any, **kwargs: Any) -> None:
        super().__init__(choices=choices, error_messages=_told(choices), **kwargs)


class WordsFilter(filters.BaseInFilter, filters.ChoiceFilter):
    """One of the allowed words, or several with commas between them."""

    def __init__(self, choices: Any, **kwargs: Any) -> None:
        super().__init__(choices=choices, error_messages=_told(choices), **kwargs)


class TextsFilter(filters.BaseInFilter, filters.CharFilter):
    """One text, or several with commas between them."""


class PartFilter(filters.CharFilter):
    """A part of the text, whatever its capitals."""

    def __init__(self, field_name: str, **kwargs: Any) -> None:
        super().__init__(field_name, lookup_expr="icontains", max_length=100, **kwargs)
