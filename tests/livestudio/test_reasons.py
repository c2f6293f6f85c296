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

from avatars.models import REASON_MAX_CHARACTERS
from inference.engines.weights import WeightsError, WeightsFolder, list_parts
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
    "inference/builds.py",
    "inference/media/footage.py",
    "inference/media/uploads.py",
    "inference/engines/weights.py",
    "inference/engines/face/archives.py",
    "inference/engines/face/avatar_build.py",
    "inference/engines/face/musetalk/building.py",
    "inference/engines/face/musetalk/bundle.py",
    "inference/engines/face/musetalk/checkpoints.py",
    "inference/engines/face/musetalk/engine.py",
    "inference/engines/face/musetalk/footage_checks.py",
    "inference/engines/face/musetalk/importing.py",
    "inference/engines/face/musetalk/landmarks.py",
    "inference/engines/face/musetalk/pickles.py",
    "inference/engines/face/portrait/building.py",
    "inference/engines/face/portrait/checks.py",
    "inference/engines/face/portrait/engine.py",
    "inference/engines/face/wav2lip/renderer.py",
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
    "has no versions; comma-separated",
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
        (
            "coords.pkl is not taken: it asks to run os.system.",
            "不接受 coords.pkl：它要求运行 os.system。",
        ),
        (
            "The face points cannot be read: points are pairs of numbers.",
            "无法读取面部点：点应为成对的数值。",
        ),
        (
            "The model server cannot load its networks: The device refuses: CUDA error: unknown.",
            "模型服务器无法加载网络：设备拒绝工作：CUDA error: unknown。",
        ),
        (
            "The neural libraries are not installed (docs/weights.md): No module named 'torch'.",
            "尚未安装神经网络依赖库（见 docs/weights.md）：No module named 'torch'。",
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


def _weights_errors(folder: Path) -> Iterator[str]:
    """What is said of each network whose files are missing, and are other files."""
    for part in list_parts():
        with pytest.raises(WeightsError) as missing:
            WeightsFolder(folder).find(part)
        yield missing.value.message
        for file in part.choices[0]:
            (folder / file.path).parent.mkdir(parents=True, exist_ok=True)
            (folder / file.path).write_bytes(b"first")
            WeightsFolder(folder).examine(file)
            (folder / file.path).write_bytes(b"other numbers")
        with pytest.raises(WeightsError) as wrong:
            WeightsFolder(folder).find(part)
        yield wrong.value.message


def test_reasons_about_weights_are_whole_chinese_and_name_no_folder_of_the_server(
    tmp_path: Path,
) -> None:
    said = list(_weights_errors(tmp_path))

    assert len(said) == 2 * len(list_parts())
    for english in said:
        assert len(english) < REASON_MAX_CHARACTERS - 100  # of it, what others put around
        assert str(tmp_path) not in english
        assert "`weights/" in english
        with translation.override("zh-hans"):
            chinese = translate_reason(english)
        # Names, addresses and licences apart, no English sentence is left.
        rest = re.sub(r"https?://[^\s)（）]+|README: \S+|`[^`]+`", "", chinese)
        assert not re.search(r"[a-z]+ [a-z]+ [a-z]+", rest), rest
