"""The pusher child against a real nginx-rtmp, and against servers that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import av
import pytest

from inference.outputs.base import Json, OutputReport, headers_to_json
from inference.outputs.supervisor import OutputJob, OutputSupervisor
from tests.services import RtmpServer

from .media import HEIGHT, WIDTH, ListSource, coded

pytestmark = pytest.mark.live


def job_line(url: str, key: str, **extra: object) -> Json:
    headers, _ = coded()
    return {
        "url": url,
        "stream_key": key,
        "headers": headers_to_json(headers),
        "egress_allow": ["loopback"],
        "ai_label": '{"Label": 1}',
        **extra,
    }


class Running:
    """A supervisor with its reports."""

    def __init__(self, line: Json, source: ListSource) -> None:
        self.reports: list[OutputReport] = []
        self.supervisor = OutputSupervisor(
            OutputJob("o1", "inference.outputs.pusher", lambda: line, lambda: source),
            on_report=self.reports.append,
        )

    async def until(self, check: Callable[[OutputReport], bool], seconds: float = 60) -> Any:
        async with asyncio.timeout(seconds):
            while not any(check(report) for report in self.reports):
                await asyncio.sleep(0.02)
        return next(report for report in self.reports if check(report))


@contextlib.asynccontextmanager
async def pushing(line: Json, source: ListSource) -> AsyncIterator[Running]:
    running = Running(line, source)
    running.supervisor.start()
    try:
        yield running
    finally:
        await running.supervisor.stop()


def paced(source: ListSource, seconds: float) -> threading.Thread:
    """Put packets in at their real rate."""

    def run() -> None:
        _, packets = coded()
        began = time.monotonic()
        for packet in packets:
            if packet.pts / 48_000 > seconds:
                return
            time.sleep(max(0, began + packet.pts / 48_000 - time.monotonic()))
            source.put(packet)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def read_back(url: str) -> tuple[int, int, set[tuple[int, int]]]:
    """(pictures, samples, picture sizes) that an independent reader decodes until the end."""
    pictures, samples, sizes = 0, 0, set()
    with av.open(url, options={"analyzeduration": "3000000"}, timeout=60) as container:
        for frame in container.decode():
            if isinstance(frame, av.VideoFrame):
                pictures += 1
                sizes.add((frame.width, frame.height))
            elif isinstance(frame, av.AudioFrame):
                samples += frame.samples
            if pictures >= 50:
                break
    return pictures, samples, sizes


async def attached(server: RtmpServer, key: str) -> None:
    """Until somebody else than its publisher is there for a stream."""
    waiting = re.compile(rf"<name>{key}</name>.*?<nclients>2</nclients>", re.DOTALL)
    async with asyncio.timeout(60), aiohttp.ClientSession() as session:
        while True:
            async with session.get(server.stat_url) as answer:
                if waiting.search(await answer.text()):
                    return
            await asyncio.sleep(0.05)


async def test_stream_is_read_back_from_nginx(rtmp_server: RtmpServer) -> None:
    source = ListSource()
    async with pushing(job_line(rtmp_server.push_url, "readback"), source) as running:
        await running.until(lambda report: report.state == "live")
        reading = asyncio.create_task(asyncio.to_thread(read_back, rtmp_server.url("readback")))
        await attached(rtmp_server, "readback")
        feeder = paced(source, 4)
        pictures, samples, sizes = await reading
        await asyncio.to_thread(feeder.join)

    assert pictures >= 50
    assert samples > 48_000
    assert sizes == {(WIDTH, HEIGHT)}
    assert running.reports[-1].state == "stopped"


async def test_refusal_says_why_and_is_not_tried_again(rtmp_server: RtmpServer) -> None:
    line = job_line(rtmp_server.refusing_url, "secret-key-9")
    async with pushing(line, ListSource()) as running:
        report = await running.until(lambda report: report.state in ("failed", "retrying"))

    assert "key" in report.reason
    assert "secret-key-9" not in report.reason


async def test_nobody_listening_is_retried_with_the_address_in_the_reason() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with pushing(job_line(f"rtmp://127.0.0.1:{port}/live", "k"), ListSource()) as running:
        report = await running.until(lambda report: report.reconnects >= 2)

    assert report.state == "retrying"
    assert f"127.0.0.1:{port}" in report.reason


async def test_server_that_never_answers_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        async with pushing(job_line(f"rtmp://127.0.0.1:{port}/live", "k"), ListSource()) as running:
            report = await running.until(lambda report: report.state == "retrying")

    assert "does not answer" in report.reason


async def test_private_address_is_refused() -> None:
    line = job_line("rtmp://10.1.2.3/live", "k", egress_allow=[])
    async with pushing(line, ListSource()) as running:
        report = await running.until(lambda report: report.state == "failed")

    assert "10.1.2.3" in report.reason


async def test_killed_child_is_replaced_and_publishes_again(rtmp_server: RtmpServer) -> None:
    source = ListSource()
    async with pushing(job_line(rtmp_server.push_url, "killed"), source) as running:
        await running.until(lambda report: report.state == "live")
        pid = running.supervisor.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        report = await running.until(lambda r: r.state == "live" and r.reconnects == 1)

    assert report.reconnects == 1


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    path = tmp_path / "server.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    files = ["-keyout", str(path), "-out", str(tmp_path / "crt.pem")]
    subprocess.run([*command, *files, *subject], check=True, capture_output=True)
    path.write_text(path.read_text() + (tmp_path / "crt.pem").read_text())
    return path


@pytest.fixture
def tls_front(rtmp_server: RtmpServer, certificate: Path) -> Iterator[int]:
    """A TLS listener in front of nginx-rtmp, which has none of its own; gives its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    loop = asyncio.new_event_loop()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = rtmp_server.push_url.removeprefix("rtmp://").split("/")[0].split(":")
        inner_reader, inner_writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))

    server = loop.run_until_complete(asyncio.start_server(relay, "127.0.0.1", 0, ssl=context))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield server.sockets[0].getsockname()[1]
    loop.call_soon_threadsafe(server.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    for task in asyncio.all_tasks(loop):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError):
            loop.run_until_complete(task)
    loop.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


def secure(rtmp_server: RtmpServer, port: int) -> str:
    path = rtmp_server.push_url.removeprefix("rtmp://").split("/", 1)[1]
    return f"rtmps://127.0.0.1:{port}/{path}"


async def test_rtmps_publishes_to_a_trusted_server(
    rtmp_server: RtmpServer, tls_front: int, certificate: Path
) -> None:
    line = job_line(secure(rtmp_server, tls_front), "tls", ca_file=str(certificate))
    async with pushing(line, ListSource(coded()[1])) as running:
        report = await running.until(lambda report: report.state == "live")

    assert report.state == "live"


async def test_rtmps_refuses_an_unknown_certificate(
    rtmp_server: RtmpServer, tls_front: int
) -> None:
    line = job_line(secure(rtmp_server, tls_front), "tls")
    async with pushing(line, ListSource()) as running:
        report = await running.until(lambda report: report.state == "failed")

    assert "certificate" in report.reason
