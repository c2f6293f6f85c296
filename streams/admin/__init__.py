"""Shows, outputs and broadcasts in the admin, and its live and timeline pages."""

from __future__ import annotations

from streams.admin import pages
from streams.admin.broadcasts import BroadcastAdmin, RecordingAdmin
from streams.admin.outputs import OutputAdmin
from streams.admin.pictures import PictureAdmin
from streams.admin.shows import ShowAdmin

__all__ = ["BroadcastAdmin", "OutputAdmin", "PictureAdmin", "RecordingAdmin", "ShowAdmin", "pages"]
