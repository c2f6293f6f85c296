"""Events of a broadcast in words for a host: what happened, and what is known of it."""

from __future__ import annotations

from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from livestudio.common.reasons import translate_reason
from streams.models.broadcast import BroadcastOutputState, BroadcastState, ScriptState

_KINDS: Final = {
    "runner.started": gettext_lazy("Presenter's process"),
    "broadcast.state": gettext_lazy("Broadcast"),
    "broadcast.first_frame": gettext_lazy("First picture"),
    "script.state": gettext_lazy("Script"),
    "output": gettext_lazy("Output"),
    "recording": gettext_lazy("Recording"),
    "worker": gettext_lazy("Process"),
    "speech.made": gettext_lazy("Sentence made"),
    "clock.rebased": gettext_lazy("Clock set anew"),
    "viewer.joined": gettext_lazy("Viewer came"),
    "viewer.left": gettext_lazy("Viewer went"),
    "viewer.failed": gettext_lazy("Viewer could not connect"),
}
_NAMES: Final = {
    "state": gettext_lazy("state"),
    "script": gettext_lazy("state"),
    "kind": gettext_lazy("kind"),
    "reason": gettext_lazy("reason"),
    "bitrate_kbps": gettext_lazy("bitrate (kbit/s)"),
    "dropped": gettext_lazy("dropped"),
    "reconnects": gettext_lazy("reconnects"),
    "engine": gettext_lazy("engine"),
    "characters": gettext_lazy("characters"),
    "gap_ms": gettext_lazy("gap (ms)"),
    "media_time_ms": gettext_lazy("media time (ms)"),
    "lease_epoch": gettext_lazy("start number"),
    "pid": gettext_lazy("process id"),
    "viewers": gettext_lazy("viewers"),
}
_STATES: Final = {
    **dict(ScriptState.choices),
    **dict(BroadcastState.choices),
    **dict(BroadcastOutputState.choices),
    "started": gettext_lazy("started"),
    "died": gettext_lazy("died"),
    "ended": gettext_lazy("ended"),
    "recording": gettext_lazy("is recording"),
    "finished": gettext_lazy("finished"),
}
_PROCESSES: Final = {
    "speech": gettext_lazy("the voice"),
    "face": gettext_lazy("the picture"),
    "recorder": gettext_lazy("the recording"),
}
# Of no use to a reader: what they name is told otherwise.
_HIDDEN: Final = frozenset({"id", "voice", "path", "summary", "name"})


def event_title(kind: str) -> str:
    """What kind of event it is; unknown ones by their own name."""
    return str(_KINDS.get(kind, kind))


def event_facts(data: dict[str, Any], output_names: dict[str, str]) -> list[tuple[str, str]]:
    """(name, value) of what a reader can use. output_names: id -> name of the outputs on air."""
    name = output_names.get(str(data.get("id")), "")
    known = [(_("name"), name)] if name else []
    for key, value in data.items():
        if key not in _HIDDEN and value not in (None, "") and not isinstance(value, dict | list):
            known.append((str(_NAMES.get(key, key)), _value_text(key, value)))
    return known


def _value_text(key: str, value: Any) -> str:
    if key == "reason":
        return translate_reason(str(value))
    if key in ("state", "script"):
        return str(_STATES.get(value, value))
    if key == "kind":
        return str(_PROCESSES.get(value, value))
    return str(value)
