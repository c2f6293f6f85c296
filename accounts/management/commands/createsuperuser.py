"""Django's createsuperuser; the new superuser also owns an organization, ready to make shows."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.management.commands import createsuperuser

from accounts.models import Organization, User
from accounts.services import members

FIRST_ORGANIZATION = "LiveStudio"


class Command(createsuperuser.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        known = set(User.objects.filter(is_superuser=True).values_list("pk", flat=True))
        super().handle(*args, **options)
        for user in User.objects.filter(is_superuser=True).exclude(pk__in=known):
            is_first = not Organization.objects.exists()
            name = FIRST_ORGANIZATION if is_first else user.username
            members.create_organization(name=name, owner=user)
            if options["verbosity"] >= 1:
                self.stdout.write(f"They own the organization {name}.")
