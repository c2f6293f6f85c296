"""What the tests of tenancy know about models beyond `accounts.tenancy`."""

from __future__ import annotations

from django.db import models

from accounts.models import OwnedModel

# Of people and machines, whatever organizations they are in; a new one is added here on purpose.
GLOBAL = frozenset(
    {
        "accounts.User", "accounts.Organization", "accounts.DeviceSession", "accounts.TotpDevice",
        "accounts.RecoveryCode", "accounts.IdempotencyRecord", "inference.Node",
        "metering.Plan", "metering.PlanLimit",
        "inference.Runner",  # names its broadcast without a foreign key
    }
)  # fmt: skip


def is_owned(model: type[models.Model]) -> bool:
    """Whether its rows are checked when they load (`accounts.scope`)."""
    return issubclass(model, OwnedModel)
