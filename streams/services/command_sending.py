"""Which commands go to the runner now, with their secrets opened just before they leave."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from uuid import UUID

from inference.protocol import Json
from livestudio.common.vault import VaultError
from streams.models import BroadcastOutput, CommandState, ControlCommand
from streams.services.commands import due_commands, finish_command, mark_sent
from streams.services.runner_spec import open_command_args


@dataclass(frozen=True, slots=True)
class CommandToSend:
    """is_first: it has never been sent. args may hold a stream key."""

    id: str
    name: str
    args: Json = field(repr=False)
    is_first: bool


def commands_to_send(broadcast_id: UUID | str, sent_lately: Set[str]) -> list[CommandToSend]:
    """Waiting commands, oldest first, without those that were sent a moment ago."""
    waiting = [row for row in due_commands(broadcast_id) if str(row.pk) not in sent_lately]
    opened = (_open(command) for command in waiting)
    return [command for command in opened if command is not None]


def note_sent(command_id: str) -> None:
    """The command has left."""
    mark_sent(command_id)


def _open(command: ControlCommand) -> CommandToSend | None:
    try:
        args = open_command_args(command)
    except BroadcastOutput.DoesNotExist:
        gone = {"code": "not_found", "message": "This output has left the broadcast."}
        finish_command(command.pk, ok=False, error=gone)
        return None
    except VaultError as error:
        told = {"code": error.code, "message": error.message}
        finish_command(command.pk, ok=False, error=told)
        return None
    return CommandToSend(
        str(command.pk), command.name, args, is_first=command.state == CommandState.PENDING
    )
