"""What a language model's server says a sentence has cost, as far as that can be believed."""

from __future__ import annotations

from typing import Final

# A line of 2,000 characters is about 20,000; more is no count but a mistake, and would use up days.
MOST_TOKENS: Final = 100_000


def believed_tokens(said: object) -> int:
    """0 for what is no count at all, never more than MOST_TOKENS."""
    if isinstance(said, bool) or not isinstance(said, int | float) or not said > 0:
        return 0
    return int(min(said, MOST_TOKENS))
