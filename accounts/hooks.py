"""What higher layers do when something happens here; filled by `livestudio.wiring`.

Plain lists of functions instead of signals: reading `wiring.py` tells all that happens.
"""

from __future__ import annotations

from collections.abc import Callable

from accounts.models import Organization

# Called inside the transaction that makes the organization.
ORGANIZATION_CREATED: list[Callable[[Organization], None]] = []

# Called with a credential (see `accounts.credentials`) after the commit that ended it.
SIGN_IN_ENDED: list[Callable[[str], None]] = []
