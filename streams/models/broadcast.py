"""Broadcast: one airing of a show, and all that belongs to it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import OwnedModel
from livestudio.common.models import BaseModel
from livestudio.common.vault import SealedTextField
from streams.models.output import OUTPUT_URL_MAX_CHARACTERS

# One about weights names files, addresses and licences.
REASON_MAX_CHARACTERS = 1000


class BroadcastState(models.TextChoices):
    STARTING = "starting", _("Starting")
    LIVE = "live", _("Live")
    RECOVERING = "recovering", _("Recovering")
    STOPPING = "stopping", _("Stopping")
    ENDED = "ended", _("Ended")
    FAILED = "failed", _("Failed")


FINAL_STATES = frozenset({BroadcastState.ENDED, BroadcastState.FAILED})


class DesiredState(models.TextChoices):
    RUNNING = "running", _("Running")
    STOPPED = "stopped", _("Stopped")


class ScriptState(models.TextChoices):
    RUNNING = "running", _("Running")
    HELD = "held", _("Held")
    PAUSED = "paused", _("Paused")
    FINISHED = "finished", _("Finished")


def new_cursor() -> dict[str, Any]:
    """The cursor before the first sentence."""
    return {"cue": None, "sentence": 0, "loop": 0}


class Broadcast(OwnedModel):
    """One airing.

    avatar_on_air, voice_on_air: from start to end, NULL after: a runner that dials again needs
    them, whatever the show has been given since.
    active_key: the show's id from start to end, NULL after: at most one airing per show on every
    database. snapshot: the plan as it was at the start, see `services.runner_spec.take_snapshot`.
    lease_*: owned by the control loop and the runner link.
    """

    show = models.ForeignKey(
        "streams.Show", on_delete=models.CASCADE, related_name="broadcasts", verbose_name=_("show")
    )
    occurrence = models.OneToOneField(
        "streams.Occurrence",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="broadcast",
        verbose_name=_("planned airing"),
    )
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("started by"),
    )
    state = models.CharField(
        _("state"), max_length=12, choices=BroadcastState, default=BroadcastState.STARTING
    )
    reason = models.CharField(_("reason"), max_length=REASON_MAX_CHARACTERS, blank=True)
    active_key = models.UUIDField(null=True, unique=True, editable=False)
    avatar_on_air = models.ForeignKey(
        "avatars.Avatar",
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("avatar"),
    )
    voice_on_air = models.ForeignKey(
        "voices.Voice",
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("voice"),
    )
    desired_state = models.CharField(
        _("wanted"), max_length=10, choices=DesiredState, default=DesiredState.RUNNING
    )
    stop_requested_at = models.DateTimeField(_("stop asked at"), null=True, blank=True)
    snapshot = models.JSONField(default=dict, editable=False)

    lease_epoch = models.PositiveIntegerField(_("lease epoch"), default=0)
    lease_expires_at = models.DateTimeField(_("lease expires at"), null=True, blank=True)
    last_heartbeat_at = models.DateTimeField(_("last heartbeat at"), null=True, blank=True)
    launch_attempts = models.PositiveIntegerField(_("launches in a row"), default=0)
    next_launch_at = models.DateTimeField(_("next launch at"), null=True, blank=True)
    runner_pid = models.PositiveIntegerField(_("runner process"), null=True, blank=True)
    workers = models.JSONField(_("worker processes"), default=list, blank=True)

    cursor = models.JSONField(_("cursor"), default=new_cursor)
    script = models.CharField(
        _("script"), max_length=10, choices=ScriptState, default=ScriptState.RUNNING
    )
    recording_wanted = models.BooleanField(_("record"), default=False)
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    first_frame_at = models.DateTimeField(_("first frame at"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    metrics = models.JSONField(_("latest numbers"), default=dict, blank=True)
    acknowledged_sequence = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = _("broadcast")
        verbose_name_plural = _("broadcasts")
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["organization", "-created_at"]),
            models.Index(fields=["show", "-created_at"]),
            models.Index(fields=["state", "next_launch_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.snapshot.get('title') or self.show_id} ({self.get_state_display()})"

    @property
    def is_over(self) -> bool:
        return self.state in FINAL_STATES


class BroadcastOutputState(models.TextChoices):
    CONNECTING = "connecting", _("Connecting")
    LIVE = "live", _("Live")
    RETRYING = "retrying", _("Retrying")
    WAITING_FOR_KEY = "waiting_for_key", _("Waiting for today's key")
    FAILED = "failed", _("Failed")
    STOPPED = "stopped", _("Stopped")


class OutputDesired(models.TextChoices):
    """The words of `inference.protocol.OutputSpec.desired`."""

    LIVE = "live", _("Live")
    WAITING_FOR_KEY = "waiting_for_key", _("Waiting for today's key")
    STOPPED = "stopped", _("Stopped")


class BroadcastOutput(BaseModel):
    """One output on one airing. sealed_stream_key: the key of this airing only, if it has one."""

    broadcast = models.ForeignKey(
        Broadcast, on_delete=models.CASCADE, related_name="outputs", verbose_name=_("broadcast")
    )
    output = models.ForeignKey(
        "streams.Output",
        on_delete=models.SET_NULL,
        null=True,
        related_name="airings",
        verbose_name=_("output"),
    )
    name = models.CharField(_("name"), max_length=80)
    kind = models.CharField(_("kind"), max_length=10)
    url = models.CharField(_("URL"), max_length=OUTPUT_URL_MAX_CHARACTERS)
    sealed_stream_key = SealedTextField()
    desired = models.CharField(
        _("wanted"), max_length=16, choices=OutputDesired, default=OutputDesired.LIVE
    )
    state = models.CharField(
        _("state"),
        max_length=16,
        choices=BroadcastOutputState,
        default=BroadcastOutputState.CONNECTING,
    )
    reason = models.CharField(_("reason"), max_length=REASON_MAX_CHARACTERS, blank=True)
    bitrate_kbps = models.FloatField(_("bitrate (kbps)"), null=True, blank=True)
    dropped = models.PositiveBigIntegerField(_("dropped frames"), default=0)
    reconnects = models.PositiveIntegerField(_("reconnects"), default=0)

    class Meta:
        verbose_name = _("output on air")
        verbose_name_plural = _("outputs on air")
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(fields=["broadcast", "output"], name="one_airing_per_output")
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.get_state_display()})"


class UtteranceSource(models.TextChoices):
    SCRIPT = "script", _("Script")
    OPERATOR = "operator", _("Operator")
    ANSWER = "answer", _("Answer")


class UtteranceState(models.TextChoices):
    QUEUED = "queued", _("Queued")
    SPEAKING = "speaking", _("Speaking")
    SAID = "said", _("Said")
    INTERRUPTED = "interrupted", _("Interrupted")
    DROPPED = "dropped", _("Dropped")
    FAILED = "failed", _("Failed")


class Utterance(BaseModel):
    """One stretch of speech. `said` is written only after its sound has left the clock."""

    broadcast = models.ForeignKey(
        Broadcast, on_delete=models.CASCADE, related_name="utterances", verbose_name=_("broadcast")
    )
    source = models.CharField(_("source"), max_length=10, choices=UtteranceSource)
    # Of the snapshot, so not a foreign key: the show may have lost the cue meanwhile.
    cue = models.CharField(_("cue"), max_length=36, null=True, blank=True)  # noqa: DJ001
    sentence = models.PositiveIntegerField(_("sentence"), null=True, blank=True)
    loop = models.PositiveIntegerField(_("loop"), null=True, blank=True)
    text = models.TextField(_("text"))
    generation = models.PositiveBigIntegerField(_("generation"), default=0)
    state = models.CharField(
        _("state"), max_length=12, choices=UtteranceState, default=UtteranceState.QUEUED
    )
    reason = models.CharField(_("reason"), max_length=REASON_MAX_CHARACTERS, blank=True)
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    media_time_ms = models.PositiveBigIntegerField(_("media time (ms)"), null=True, blank=True)
    played_ms = models.PositiveIntegerField(_("played (ms)"), null=True, blank=True)
    duration_ms = models.PositiveIntegerField(_("duration (ms)"), null=True, blank=True)

    class Meta:
        verbose_name = _("utterance")
        verbose_name_plural = _("utterances")
        ordering = ["created_at"]
        indexes = [models.Index(fields=["broadcast", "created_at"])]

    def __str__(self) -> str:
        return f"{self.get_state_display()}: {self.text[:40]}"


class BroadcastEvent(BaseModel):
    """One event of the runner's outbox, stored once."""

    broadcast = models.ForeignKey(
        Broadcast, on_delete=models.CASCADE, related_name="events", verbose_name=_("broadcast")
    )
    sequence = models.PositiveBigIntegerField(_("sequence"))
    kind = models.CharField(_("kind"), max_length=60)
    at = models.DateTimeField(_("at"))
    data = models.JSONField(_("data"), default=dict)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["sequence"]
        constraints = [
            models.UniqueConstraint(fields=["broadcast", "sequence"], name="one_row_per_event")
        ]

    def __str__(self) -> str:
        return f"{self.sequence} {self.kind}"


class CommandState(models.TextChoices):
    PENDING = "pending", _("Pending")
    SENT = "sent", _("Sent")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")
    EXPIRED = "expired", _("Expired")


class ControlCommand(BaseModel):
    """One order to the runner, executed at most once. `args` never holds a stream key.

    result: `{"data": ...}` when done, `{"error": {"code", "message"}}` when failed.
    """

    broadcast = models.ForeignKey(
        Broadcast, on_delete=models.CASCADE, related_name="commands", verbose_name=_("broadcast")
    )
    name = models.CharField(_("command"), max_length=40)
    args = models.JSONField(_("arguments"), default=dict)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("given by"),
    )
    idempotency_key = models.CharField(max_length=191, null=True, blank=True, editable=False)  # noqa: DJ001
    deadline = models.DateTimeField(_("deadline"))
    state = models.CharField(
        _("state"), max_length=10, choices=CommandState, default=CommandState.PENDING
    )
    result = models.JSONField(_("result"), null=True, blank=True)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta:
        verbose_name = _("command")
        verbose_name_plural = _("commands")
        ordering = ["created_at"]
        constraints = [
            # NULL keys never collide, on every database.
            models.UniqueConstraint(
                fields=["broadcast", "idempotency_key"], name="one_command_per_key"
            )
        ]
        indexes = [models.Index(fields=["broadcast", "state", "created_at"])]

    def __str__(self) -> str:
        return f"{self.name} ({self.get_state_display()})"


class MetricSample(BaseModel):
    """The numbers of a broadcast at one moment, kept downsampled."""

    broadcast = models.ForeignKey(
        Broadcast, on_delete=models.CASCADE, related_name="samples", verbose_name=_("broadcast")
    )
    at = models.DateTimeField(_("at"))
    values = models.JSONField(_("numbers"), default=dict)

    class Meta:
        verbose_name = _("numbers at a moment")
        verbose_name_plural = _("numbers over time")
        ordering = ["-at"]
        indexes = [models.Index(fields=["broadcast", "-at"])]

    def __str__(self) -> str:
        return f"{self.broadcast_id} {self.at:%H:%M:%S}"
