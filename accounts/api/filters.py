"""Filters of the lists of this app."""

from __future__ import annotations

from django_filters import rest_framework as filters

from accounts.roles import Role
from livestudio.common.filters import WordsFilter


class RoleFilter(filters.FilterSet):
    """Of members and of invitations."""

    role = WordsFilter(Role.choices)
