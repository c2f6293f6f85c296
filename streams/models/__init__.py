"""The rows of a show and of its airings."""

from __future__ import annotations

from streams.models.broadcast import (
    Broadcast,
    BroadcastEvent,
    BroadcastOutput,
    BroadcastState,
    CommandState,
    ControlCommand,
    DesiredState,
    MetricSample,
    Utterance,
)
from streams.models.calendar import CalendarAddress
from streams.models.output import Output
from streams.models.picture import Picture
from streams.models.recording import Recording
from streams.models.rundown import Cue
from streams.models.schedule import Occurrence, Schedule
from streams.models.show import Show
from streams.models.ticket import ConnectionTicket
from streams.models.viewer import WhepViewer

__all__ = [
    "Broadcast",
    "BroadcastEvent",
    "BroadcastOutput",
    "BroadcastState",
    "CalendarAddress",
    "CommandState",
    "ConnectionTicket",
    "ControlCommand",
    "Cue",
    "DesiredState",
    "MetricSample",
    "Occurrence",
    "Output",
    "Picture",
    "Recording",
    "Schedule",
    "Show",
    "Utterance",
    "WhepViewer",
]
