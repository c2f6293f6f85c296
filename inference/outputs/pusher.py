"""The child of one RTMP target: `python -m inference.outputs.pusher`, one connection long.

First line of stdin: {"url", "stream_key", "headers", "egress_allow", "ai_label", "ca_file"?}.
It connects before any packet is sent to it, says `live`, and then publishes what comes.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable

from inference.egress import EgressError, NameNotFoundError, check_url
from inference.media.garbage import collect_rarely
from inference.media.packets import EncodedPacket
from inference.outputs.base import Json, PacketInput, headers_from_json, report
from inference.outputs.rtmp.publisher import Publisher, PublishError, Target


def main() -> int:
    collect_rarely()
    return asyncio.run(_run())


async def _run() -> int:
    stdin = await PacketInput.open(sys.stdin.buffer)
    job: Json = json.loads(await stdin.first_line())
    try:
        publisher = Publisher(
            _target(job), headers_from_json(job["headers"]), ai_label=job.get("ai_label", "")
        )
        await _publish(publisher, stdin)
    except PublishError as error:
        # A server may repeat the stream name in its answer, and the name is the key.
        message = error.message.replace(job["stream_key"] or "\0", "***")
        report(state="failed", code=error.code, message=message, retryable=error.retryable)
        return 1
    report(state="closed")
    return 0


def _target(job: Json) -> Target:
    """The checked target. The name is resolved here, once, and only these addresses are used."""
    try:
        checked = check_url(
            job["url"], schemes=("rtmp", "rtmps"), allow=tuple(job.get("egress_allow", ()))
        )
    except EgressError as error:
        raise PublishError(
            "address_refused", str(error), retryable=isinstance(error, NameNotFoundError)
        ) from error
    return Target(job["url"], job["stream_key"], checked.addresses, job.get("ca_file"))


async def _publish(publisher: Publisher, stdin: PacketInput) -> None:
    progress = {"bytes": 0, "packets": 0, "pts": 0}

    def send(packets: list[EncodedPacket]) -> Awaitable[None] | None:
        publisher.send(packets)
        progress["packets"] += len(packets)
        progress["bytes"], progress["pts"] = publisher.bytes_sent, packets[-1].pts
        return publisher.drain() if publisher.is_behind else None

    reporter = asyncio.create_task(_report_progress(progress))
    try:
        await publisher.open()
        report(state="live")
        await stdin.pass_on(send)
    finally:
        reporter.cancel()
        await publisher.close()


async def _report_progress(progress: dict[str, int]) -> None:
    while True:
        await asyncio.sleep(1)
        report(progress=progress)


if __name__ == "__main__":
    sys.exit(main())
