#!/usr/bin/env python3
"""Django's command line for LiveStudio."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run one management command; a wrong setting ends it with one line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "livestudio.settings")
    from django.conf import settings
    from django.core.management import execute_from_command_line

    from livestudio.env import SettingError

    try:
        # Django keeps a settings error for later and shows a traceback; look first.
        _ = settings.INSTALLED_APPS
    except SettingError as error:
        sys.exit(str(error))
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
