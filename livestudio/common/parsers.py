"""Bodies in JSON: what the framework's parser lets through and nothing behind it can hold."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

# Of any body but a film's, in front of the application and in it: a signed document has 10 MB.
# As nginx has it (deploy/nginx/).
LARGEST_BODY_BYTES: Final = 11 * 1024 * 1024
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")


def has_half_a_character(body: Any) -> bool:
    """Whether a parsed body holds a lone surrogate, which no UTF-8 can say."""
    return _SURROGATE.search(json.dumps(body, ensure_ascii=False)) is not None


class StrictJSONParser(JSONParser):
    """JSON without lone surrogates (no database and no answer can hold them) and without depths
    that no body of ours has (each costs a frame of Python's stack)."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        """Raises ParseError."""
        try:
            body = super().parse(stream, media_type, parser_context)
            is_broken = has_half_a_character(body)
        except RecursionError as error:
            raise ParseError("The body is nested too deep.") from error
        if is_broken:
            raise ParseError("The body holds half of a character (a lone surrogate).")
        return body
