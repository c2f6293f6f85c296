"""The API in production mode: MariaDB, Redis, two web processes, a hundred tenants.

`python -m benchmarks.api [--seconds 20] [--only tokens reads consoles] [--json FILE]`.
Requests go to the web processes as nginx sends them; client and servers share the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
from itertools import cycle
from typing import Any, Final

import aiohttp

from benchmarks.api_load import Answers, Ask, ask_evenly, follow
from benchmarks.figures import BenchmarkError, Report, percentile, run_benchmark, spread, tell
from benchmarks.platform import ROOT

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
# Settings are read when it is imported.
from tests.live.cluster import Cluster, production_cluster  # noqa: E402 - see above
from tests.services import HOST  # noqa: E402 - see above

ORGANIZATIONS: Final = 100
SHOWS: Final = 1000
TOKEN_CHECKS_PER_SECOND: Final = 200
READS_PER_SECOND: Final = 20
CONSOLES: Final = 300
Rows = dict[str, Any]


def measure(given: argparse.Namespace) -> Report:
    """Token checks, lists and details, consoles; each against a reference where there is one."""
    report = Report("api")
    # Nothing is on air: a control loop would take away the runner that is only played.
    with production_cluster(with_control=False, REGISTRATION="closed") as (cluster, _):
        tell(f"writing {ORGANIZATIONS} organizations with {SHOWS} shows")
        rows: Rows = run_on(cluster, "api_rows", str(ORGANIZATIONS), str(SHOWS))
        webs = [f"http://127.0.0.1:{port}" for port in cluster.web_ports]
        try:
            if "tokens" in given.only:
                measure_token_checks(report, cluster, rows, given.seconds)
            if "reads" in given.only:
                measure_reads(report, webs, rows, given.seconds)
            if "consoles" in given.only:
                pids = {f"http://{HOST}:{port}": web.pid for port, web in cluster.webs.items()}
                measure_consoles(report, pids, rows, given.seconds)
        except (BenchmarkError, aiohttp.ClientError, aiohttp.WSMessageTypeError):
            tell(cluster.logs()[-3000:])
            raise
    return report


def run_on(cluster: Cluster, program: str, *arguments: str, tokens: Any = None) -> Any:
    """What a program of ours prints as JSON, run with the settings of the cluster."""
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{program}", *arguments],
        cwd=ROOT,
        env=cluster.environment,
        input=json.dumps(tokens).encode(),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise BenchmarkError(f"{program} failed:\n{done.stderr.decode()[-2000:]}")
    return json.loads(done.stdout)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parts = ("tokens", "reads", "consoles")
    parser.add_argument("--only", nargs="+", choices=parts, default=parts, help="parts (all)")


def measure_token_checks(report: Report, cluster: Cluster, rows: Rows, seconds: float) -> None:
    """What each request pays for its sign-in, against the library's check without our rules."""
    rate = TOKEN_CHECKS_PER_SECOND
    tell(f"token checks: {rate} a second for twice {seconds:.0f} s")
    found = run_on(cluster, "api_checks", str(rate), str(seconds), tokens=rows)
    report.details["checks"] = found
    ours, reference = found["ours"], found["reference"]
    label = f"token check with its session on MariaDB, {rate}/s: P99"
    report.at_most(label, percentile(ours, 0.99), 5, "ms", spread(ours))
    report.state(
        "  simplejwt's own check in the same run: P99",
        f"{percentile(reference, 0.99):.3g} ms ({spread(reference)})",
    )


def measure_reads(report: Report, webs: list[str], rows: Rows, seconds: float) -> None:
    """Pages of shows and single shows, each request as another customer."""
    customers = rows["customers"]
    reference = _answers(
        ask_evenly(
            [Ask(f"{web}/livez") for web in webs], per_second=READS_PER_SECOND, seconds=seconds
        )
    )
    kinds = {
        "list of shows": lambda customer: "/api/v1/shows/",
        "one show": lambda customer: f"/api/v1/shows/{customer['shows'][-1]}/",
    }
    for name, path in kinds.items():
        tell(f"{name}: {READS_PER_SECOND} requests a second for {seconds:.0f} s")
        asks = [
            Ask(f"{web}{path(customer)}", customer["token"])
            for web, customer in zip(cycle(webs), customers, strict=False)
        ]
        times = _answers(
            ask_evenly(asks, per_second=READS_PER_SECOND, seconds=seconds)
        ).milliseconds
        report.details[name] = times
        label = f"{name}, {SHOWS} shows of {ORGANIZATIONS} organizations: P95"
        report.at_most(label, percentile(times, 0.95), 50, "ms", spread(times))
    report.state("  a view that does nothing (/livez)", f"{spread(reference.milliseconds)} ms")


def measure_consoles(report: Report, webs: dict[str, int], rows: Rows, seconds: float) -> None:
    """From the runner's socket to each console's."""
    tell(f"{CONSOLES} consoles at 5 Hz for {seconds:.0f} s")
    token = rows["customers"][0]["token"]
    heard = asyncio.run(follow(webs, rows["run"], token, consoles=CONSOLES, seconds=seconds))
    report.details["consoles"] = heard.milliseconds
    times = heard.milliseconds
    label = f"{CONSOLES} consoles at 5 Hz, runner -> console: P99"
    report.at_most(label, percentile(times, 0.99), 150, "ms", spread(times))
    label = "  a processor's time of both web processes for a message to all"
    report.state(label, f"{heard.web_seconds * 1000:.1f} ms")
    report.at_least("messages that arrived", 100 * len(times) / heard.expected, 100, "%")


def _answers(running: Any) -> Answers:
    answers: Answers = asyncio.run(running)
    if answers.wrong:
        raise BenchmarkError(f"{len(answers.wrong)} wrong answers, first: {answers.wrong[0]}")
    return answers


if __name__ == "__main__":
    sys.exit(
        run_benchmark(measure, description=str(__doc__), seconds=20.0, add_arguments=add_arguments)
    )
