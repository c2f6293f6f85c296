"""The admin as an app, with our own site in place of Django's."""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig


class StudioAdminConfig(AdminConfig):
    """Named in INSTALLED_APPS; everything else still says `django.contrib.admin.site`."""

    default_site = "livestudio.common.admin_site.StudioAdminSite"
