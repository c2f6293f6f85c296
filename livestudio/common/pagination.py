"""Cursor pages: `{next, previous, results}`, in an order that the client may choose."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from rest_framework.exceptions import NotFound
from rest_framework.pagination import BasePagination, CursorPagination
from rest_framework.response import Response

from livestudio.common.errors import InvalidInputError


class OrderedCursorPagination(CursorPagination):
    """Newest first, or `?ordering=title`, `?ordering=-title`; `?page_size=` up to 200.

    A view lists what it offers in `ordering_fields`, and its own first order in `ordering`. No
    cursor points between rows without a value: `ordering_columns` names what to order by instead.
    """

    ordering = ("-created_at", "-id")
    # Not the framework's words: those change with the language of who exports the schema.
    cursor_query_description = "Where the page begins: of `next` or `previous` of another one."
    page_size_query_param = "page_size"
    page_size_query_description = "How many at once: 50, up to 200."
    max_page_size = 200

    def get_ordering(self, request: Any, queryset: Any, view: Any) -> tuple[str, ...]:
        fields: tuple[str, ...] = getattr(view, "ordering_fields", ("created_at",))
        wanted = request.query_params.get("ordering")
        if not wanted:
            return getattr(view, "ordering", self.ordering)
        if wanted.removeprefix("-") not in fields:
            message = f"Order by {', '.join(fields)}, each also with a minus before it."
            raise InvalidInputError.of("ordering", message, "invalid_choice")
        sign, name = ("-", wanted[1:]) if wanted.startswith("-") else ("", wanted)
        column = getattr(view, "ordering_columns", {}).get(name, name)
        return (f"{sign}{column}", f"{sign}id")

    def get_page_size(self, request: Any) -> int | None:
        """A larger page than there is gives the largest. Raises InvalidInputError."""
        text = request.query_params.get(self.page_size_query_param)
        if text is not None and not (text.isascii() and text.isdigit() and int(text[:9]) > 0):
            raise InvalidInputError.of("page_size", "Give a whole number, 1 or more.")
        size: int | None = super().get_page_size(request)
        return size

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> Any:
        """Raises InvalidInputError for a cursor that is not of this list in this order."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (NotFound, ValueError, ValidationError) as error:
            message = "This cursor is not of this list. Begin again without one."
            raise InvalidInputError.of("cursor", message) from error


class WholeList(BasePagination):
    """The form of a page around a list that is never long, in its own order."""

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> list[Any]:
        return list(queryset)

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"next": None, "previous": None, "results": data})

    def get_paginated_response_schema(self, schema: Any) -> Any:
        return CursorPagination().get_paginated_response_schema(schema)

    def get_schema_operation_parameters(self, view: Any) -> list[Any]:
        return []


def page_parameters(view: Any) -> tuple[str, ...]:
    """The names in the query that the pages of a view understand."""
    is_whole = getattr(view, "pagination_class", None) is WholeList
    return () if is_whole else ("cursor", "ordering", "page_size")
