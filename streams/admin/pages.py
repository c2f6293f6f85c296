"""The pages and panels of this app in the admin."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from livestudio.common.admin_site import Page, Panel, studio_site
from streams.admin.front_page import front_panel
from streams.admin.live import live_cards, live_page, press_button
from streams.admin.timeline import timeline_page

site = studio_site()
site.add_page(Page("live/", live_page, "live", _("Live"), is_linked=True))
site.add_page(Page("timeline/", timeline_page, "timeline", _("Timeline"), is_linked=True))
site.add_page(Page("live/cards/", live_cards, "live_cards"))
site.add_page(Page("live/<uuid:broadcast_id>/<str:verb>/", press_button, "live_button"))
site.add_panel(Panel("streams/admin/front_panel.html", front_panel))
