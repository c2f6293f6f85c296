"""Cursor pages whose order the client may choose."""

from __future__ import annotations

from typing import Any

from livestudio.common.errors import InvalidInputError
from livestudio.common.pagination import CreatedCursorPagination


class OrderedPagination(CreatedCursorPagination):
    """`?ordering=title` or `?ordering=-title`; a view lists what it offers in `ordering_fields`."""

    def get_ordering(self, request: Any, queryset: Any, view: Any) -> tuple[str, ...]:
        fields: tuple[str, ...] = getattr(view, "ordering_fields", ("created_at",))
        wanted = request.query_params.get("ordering")
        if not wanted:
            return getattr(view, "ordering", self.ordering)
        if wanted.removeprefix("-") not in fields:
            message = f"Order by {', '.join(fields)}, each also with a minus before it."
            raise InvalidInputError.of("ordering", message, "invalid_choice")
        return (wanted, "-id" if wanted.startswith("-") else "id")
