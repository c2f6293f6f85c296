"""Reasons from runner and workers reach a Chinese reader in Chinese, in admin and studio alike."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client
from django.utils import translation

from livestudio.common.errors import refusals
from livestudio.common.reasons import REFUSALS, TABLE, translate_reason

ROOT = Path(__file__).resolve().parents[2]
API = ROOT / "livestudio" / "common"
STUDIO_TABLE = ROOT / "frontend" / "src" / "locales" / "reasons.zh-CN.json"
# Where sentences are made that a host may read.
SPOKEN_IN = (
    "inference/outputs/rtmp/publisher.py",
    "inference/outputs/supervisor.py",
    "inference/outputs/recorder.py",
    "inference/engines/speech/edge/engine.py",
    "inference/engines/speech/openai_speech/engine.py",
    "inference/engines/speech/remote",
    "inference/text/lexicon.py",
    "inference/runner/script.py",
    "inference/workers/speech_client.py",
    "inference/launchers",
    "inference/runner/session.py",
    "inference/services.py",
    "inference/model_servers.py",
    "inference/gpu/client.py",
    "inference/gpu/link.py",
    "metering/errors.py",
    "accounts/consents.py",
    "streams/runner_events.py",
    "streams/services/airing.py",
    "streams/services/lifecycle.py",
    "streams/services/recurrence.py",
    "streams/services/recordings.py",
    "streams/services/retention.py",
    "streams/services/runner_link.py",
    "streams/services/runner_spec.py",
    "streams/services/schedule.py",
    "streams/services/supervision.py",
    "streams/services/launching.py",
    "streams/services/readiness.py",
)
# Sentences that only a log, a developer or an engine reads.
UNSEEN = (
    "Speak ",
    "The voice setting ",
    "Emotion is ",
    "The Edge voices speak ",
    "No space left",
    "unknown cue",
    "LAUNCHER=",
    "event {} has no time",
    "stream key of ",
    "device/engine/version/decoder",
    "it has ended",
    "it is no model server",
)


def table() -> dict[str, str]:
    found: dict[str, str] = json.loads(TABLE.read_text(encoding="utf-8"))
    return found


def sentences(path: Path) -> Iterator[str]:
    """Texts of several words in a module, variable parts as `{}`; docstrings and logs left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    left_out = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr | ast.JoinedStr) or _is_log(node)
        for inner in ast.walk(node)
        if inner is not node and isinstance(inner, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in left_out:
            yield node.value if isinstance(node.value, str) else ""
        elif isinstance(node, ast.JoinedStr):
            yield "".join(
                str(p.value) if isinstance(p, ast.Constant) else "{}" for p in node.values
            )


def _is_log(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    return node.func.attr in ("debug", "info", "warning", "exception", "error")


def test_every_reason_of_these_modules_is_translated() -> None:
    known = {re.sub(r"\{\w+\}", "{}", english) for english in table()}
    missing = []
    for place in SPOKEN_IN:
        path = ROOT / place
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            for text in sentences(file):
                is_sentence = re.search(r"[a-z]{2,} \w+ \w+", text) and "\n" not in text
                if is_sentence and not text.startswith(UNSEEN) and not _is_known(text, known):
                    missing.append(f"{file.name}: {text}")

    assert missing == []


def _is_known(text: str, known: set[str]) -> bool:
    return text in known or any(text in other for other in known)


def test_admin_and_studio_have_the_same_table() -> None:
    assert STUDIO_TABLE.read_text(encoding="utf-8") == TABLE.read_text(encoding="utf-8")


def test_variable_parts_survive_translation() -> None:
    for english, chinese in (table() | refused()).items():
        assert sorted(re.findall(r"\{\w+\}", english)) == sorted(re.findall(r"\{\w+\}", chinese))


def test_every_refusal_of_the_api_is_translated() -> None:
    spoken = {str(kind.message) for kind in refusals()} | _words_of(API / "api.py")
    for name in ("filters", "pagination", "parsers", "conditional"):
        spoken |= _words_of(API / f"{name}.py")
    known = {re.sub(r"\{\w+\}", "{}", english) for english in refused()}

    # What the schema says of the parameters of pages is no refusal.
    spoken = {text for text in spoken if not text.startswith(("Where the page", "How many at"))}
    assert {text for text in spoken if text not in known} == set()


def _words_of(path: Path) -> set[str]:
    """The sentences of a module that somebody may be told."""
    return {text for text in sentences(path) if re.match(r"[A-Z][a-z]+ .*\.$", text)}


def refused() -> dict[str, str]:
    found: dict[str, str] = json.loads(REFUSALS.read_text(encoding="utf-8"))
    return found


def test_api_refuses_in_the_language_of_the_reader() -> None:
    english = Client().get("/api/v1/nothing/", headers={"Accept-Language": "en"})
    chinese = Client().get("/api/v1/nothing/", headers={"Accept-Language": "zh-CN"})

    assert english.json()["error"]["message"] == "There is nothing at this address."
    assert chinese.json()["error"]["message"] == "此地址没有任何内容。"
    assert english.json()["error"]["code"] == chinese.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("stopped by the operator", "由操作员停止"),
        (
            "cannot connect to live.example.com:1935: Name or service not known",
            "无法连接 live.example.com:1935：Name or service not known",
        ),
        (
            "The presenter's process ended (killed by SIGKILL); it is being started again.",
            "主播进程退出（被 SIGKILL 终止），正在重新启动。",
        ),
        ("something nobody thought of", "something nobody thought of"),
        ("", ""),
    ],
)
def test_reasons_are_read_in_chinese(english: str, chinese: str) -> None:
    with translation.override("zh-hans"):
        assert translate_reason(english) == chinese
    with translation.override("en"):
        assert translate_reason(english) == english
