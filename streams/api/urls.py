"""Addresses of shows, outputs and broadcasts below `/api/v1/`."""

from __future__ import annotations

from django.urls import path

from streams.api import broadcasts, calendar, outputs, pictures, recordings, shows, watching

_SHOW = "shows/<uuid:show_id>/"
_OUTPUT = "outputs/<uuid:output_id>/"
_BROADCAST = "broadcasts/<uuid:broadcast_id>/"
_PICTURE = "pictures/<uuid:picture_id>/"
_ON_AIR = _BROADCAST + _OUTPUT
_ORGANIZATION = "organizations/<uuid:organization_id>/"

urlpatterns = [
    path("shows/", shows.ShowsView.as_view(), name="shows"),
    path("airings/", shows.AiringsView.as_view(), name="airings"),
    path(_SHOW, shows.ShowView.as_view(), name="show"),
    path(f"{_SHOW}cues/", shows.CuesView.as_view(), name="cues"),
    path(f"{_SHOW}cues/<uuid:cue_id>/", shows.CueView.as_view(), name="cue"),
    path(f"{_SHOW}rundown/", shows.RundownView.as_view(), name="rundown"),
    path(f"{_SHOW}occurrences/", shows.OccurrencesView.as_view(), name="occurrences"),
    path(f"{_SHOW}start/", shows.StartView.as_view(), name="show-start"),
    path("outputs/", outputs.OutputsView.as_view(), name="outputs"),
    path(_OUTPUT, outputs.OutputView.as_view(), name="output"),
    path(f"{_OUTPUT}rotate-key/", outputs.RotateKeyView.as_view(), name="output-rotate-key"),
    path("pictures/", pictures.PicturesView.as_view(), name="pictures"),
    path(_PICTURE, pictures.PictureView.as_view(), name="picture"),
    path(f"{_PICTURE}file/", pictures.PictureFileView.as_view(), name="picture-file"),
    path("broadcasts/", broadcasts.BroadcastsView.as_view(), name="broadcasts"),
    path(_BROADCAST, broadcasts.BroadcastView.as_view(), name="broadcast"),
    *(
        path(f"{_BROADCAST}{name}/", view.as_view(), name=f"broadcast-{name}")
        for name, view in broadcasts.VERB_VIEWS.items()
    ),
    path(
        f"{_BROADCAST}outputs/",
        broadcasts.BroadcastOutputsView.as_view(),
        name="broadcast-outputs",
    ),
    path(f"{_ON_AIR}start/", broadcasts.StartOutputView.as_view(), name="broadcast-output-start"),
    path(f"{_ON_AIR}stop/", broadcasts.StopOutputView.as_view(), name="broadcast-output-stop"),
    path(
        f"{_ON_AIR}replace-key/",
        broadcasts.ReplaceKeyView.as_view(),
        name="broadcast-output-replace-key",
    ),
    path(f"{_BROADCAST}utterances/", broadcasts.UtterancesView.as_view(), name="utterances"),
    path(f"{_BROADCAST}events/", broadcasts.EventsView.as_view(), name="events"),
    path(f"{_BROADCAST}metrics/", broadcasts.MetricsView.as_view(), name="metrics"),
    path(f"{_BROADCAST}recordings/", broadcasts.RecordingsView.as_view(), name="recordings"),
    path(f"{_BROADCAST}thumbnail/", watching.ThumbnailView.as_view(), name="broadcast-thumbnail"),
    path(f"{_BROADCAST}whep/", watching.WhepView.as_view(), name="whep"),
    path(f"{_BROADCAST}whep/<slug:viewer>/", watching.WhepViewerView.as_view(), name="whep-viewer"),
    path(
        "recordings/<uuid:recording_id>/file/",
        recordings.RecordingFileView.as_view(),
        name="recording-file",
    ),
    path(f"{_ORGANIZATION}calendar/", calendar.CalendarAddressView.as_view(), name="calendar"),
    # Without a slash: some programs know a calendar by the end of its address.
    path(f"{_ORGANIZATION}calendar.ics", calendar.CalendarFileView.as_view(), name="calendar-file"),
    path("ws-tickets/", watching.TicketsView.as_view(), name="ws-tickets"),
]
