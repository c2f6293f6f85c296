"""Bodies in JSON: what the framework's parser lets through and nothing behind it can hold."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")


class StrictJSONParser(JSONParser):
    """JSON without lone surrogates (no database and no answer can hold them) and without depths
    that no body of ours has (each costs a frame of Python's stack)."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        """Raises ParseError."""
        try:
            body = super().parse(stream, media_type, parser_context)
            text = json.dumps(body, ensure_ascii=False)
        except RecursionError as error:
            raise ParseError("The body is nested too deep.") from error
        if _SURROGATE.search(text):
            raise ParseError("The body holds half of a character (a lone surrogate).")
        return body
