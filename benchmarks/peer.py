"""Viewers that decode nothing, in a process of their own.

`python -m benchmarks.peer URL COUNT [--no-estimates]`

They join by WHEP one after the other, say `joined` for each, and leave at the end of their input.
What arrives is thrown away before decoding, so that only the sender's work is measured. Without
estimates they never tell how much they could receive: a busy machine looks like a weak network to
them, and the platform would give them its smaller picture.
"""

from __future__ import annotations

import asyncio
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import aiohttp
import aiortc.rtcrtpreceiver
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from benchmarks.figures import BenchmarkError
from benchmarks.platform import ROOT, Platform
from inference.media.ice import use_addresses
from inference.protocol import IceSpec

JOIN_SECONDS: Final = 30.0
_NO_ESTIMATES: Final = "--no-estimates"


def _drain(loop: Any, encoded: queue.Queue[Any], frames: Any, decode_error: Any) -> None:
    """Takes the place of aiortc's decoder thread."""
    while encoded.get() is not None:
        continue


def _no_estimate(estimator: Any, **packet: Any) -> None:
    """Takes the place of aiortc's `RemoteBitrateEstimator.add`."""


async def _watch(url: str, count: int, *, estimates: bool) -> None:
    receiver: Any = aiortc.rtcrtpreceiver
    receiver.decoder_worker = _drain
    if not estimates:
        receiver.RemoteBitrateEstimator.add = _no_estimate
    use_addresses(IceSpec(host_addresses=("127.0.0.1",)))
    peers = []
    for _ in range(count):
        peers.append(await _join(url))
        sys.stdout.write("joined\n")
        sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await asyncio.gather(*(peer.close() for peer in peers))


async def _join(url: str) -> RTCPeerConnection:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connected = asyncio.Event()
    peer.on(
        "connectionstatechange",
        lambda: connected.set() if peer.connectionState == "connected" else None,
    )
    peer.addTransceiver("video", direction="recvonly")
    peer.addTransceiver("audio", direction="recvonly")
    await peer.setLocalDescription(await peer.createOffer())
    async with aiohttp.ClientSession() as session:
        body, kind = peer.localDescription.sdp, {"Content-Type": "application/sdp"}
        async with session.post(url, data=body, headers=kind) as answer:
            text = await answer.text()
            if answer.status != 201:
                raise BenchmarkError(f"WHEP: {answer.status} {text}")
    await peer.setRemoteDescription(RTCSessionDescription(text, "answer"))
    async with asyncio.timeout(JOIN_SECONDS):
        await connected.wait()
    return peer


@contextmanager
def watching_url(url: str, count: int = 1, *, estimates: bool = True) -> Iterator[None]:
    """`count` viewers of a WHEP address, all joined; they leave at the end."""
    command = [sys.executable, "-m", "benchmarks.peer", url, str(count)]
    command += [] if estimates else [_NO_ESTIMATES]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen(command, cwd=ROOT, text=True, **pipes)  # type: ignore[call-overload]
    timer = threading.Timer(JOIN_SECONDS * (1 + count), process.kill)
    timer.start()
    try:
        for number in range(count):
            if process.stdout.readline() != "joined\n":
                raise BenchmarkError(f"viewer {number + 1} of {count} could not join")
        timer.cancel()
        yield
    finally:
        timer.cancel()
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def watching(platform: Platform, broadcast: str, count: int = 1) -> Iterator[None]:
    """`count` viewers of a broadcast."""
    url = f"{platform.base_url}/api/v1/broadcasts/{broadcast}/whep/"
    with watching_url(url, count, estimates=False):
        yield


if __name__ == "__main__":
    has_estimates = _NO_ESTIMATES not in sys.argv
    asyncio.run(_watch(sys.argv[1], int(sys.argv[2]), estimates=has_estimates))
