"""Every sentence that a service refuses with is there in Chinese: found in the code, not listed."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import translation

from livestudio.common.api import error_body
from livestudio.common.errors import ErrorDetail, InvalidInputError
from livestudio.common.reasons import REFUSALS, TABLE

ROOT = Path(__file__).resolve().parents[2]
APPS = ("accounts", "avatars", "livestudio", "metering", "streams", "voices", "webhooks")
BESIDE = ("inference/egress.py", "inference/services.py", "inference/text/lexicon.py")
# Sentences of the same form that no host reads: of the operator's checks, and of the schema.
UNSEEN = (
    "livestudio/checks.py",
    "livestudio/schema.py",
    "livestudio/common/admin_site.py",
    "livestudio/backlog_metrics.py",
)
# Made of two sentences, each of which is in the table.
JOINED = "{} There are: {}."


def modules() -> Iterator[Path]:
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if not {"migrations", "management"} & set(path.parts) and name not in UNSEEN:
                yield path
    yield from (ROOT / name for name in BESIDE)


def said_in(tree: ast.AST) -> Iterator[str]:
    """The texts that errors are made of; those already marked for gettext are not among them."""
    for node in ast.walk(tree):
        for value in _values(node):
            for part in (value.body, value.orelse) if isinstance(value, ast.IfExp) else (value,):
                text = _text(part)
                if text and re.search(r"[A-Z].*[a-z]+ .*[a-z.]", text):
                    yield text


def _values(node: ast.AST) -> list[Any]:
    """What an error, its detail or a variable named `message` is given."""
    if isinstance(node, ast.Call) and _is_refusal(node.func):
        return [*node.args, *(k.value for k in node.keywords if k.arg in ("message", "detail"))]
    if isinstance(node, ast.Assign | ast.AnnAssign):
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        name = target.id if isinstance(target, ast.Name) else ""
        if name in ("message", "reason", "told", "what"):
            return [node.value]
        if name == "default_error_messages" and isinstance(node.value, ast.Dict):
            return list(node.value.values)
    return []


def _is_refusal(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute):
        owner = function.value.id if isinstance(function.value, ast.Name) else ""
        is_short_form = function.attr == "of" and owner.endswith("Error")
        return is_short_form or function.attr in ("ValidationError", "NotFound")
    name = function.id if isinstance(function, ast.Name) else ""
    return name.endswith("Error") or name == "ErrorDetail"


def _text(node: Any) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = (str(p.value) if isinstance(p, ast.Constant) else "{}" for p in node.values)
        return "".join(parts)
    return None


def known() -> set[str]:
    tables = [json.loads(path.read_text(encoding="utf-8")) for path in (REFUSALS, TABLE)]
    return {re.sub(r"\{\w+\}", "{}", english) for table in tables for english in table}


def test_every_sentence_of_a_refusal_has_its_chinese() -> None:
    table, found, missing = known(), 0, []
    for path in modules():
        for text in said_in(ast.parse(path.read_text(encoding="utf-8"))):
            found += 1
            if text not in table and text != JOINED:
                missing.append(f"{path.relative_to(ROOT)}: {text}")

    assert found > 150, "the walk sees the sentences at all"
    assert missing == [], "add these to livestudio/locale/refusals.zh-CN.json"


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("There is no such webhook.", "没有这样的Webhook。"),
        ("There is no such 数字人.", "没有这样的数字人。"),
        ("'loud' is not allowed. Choose from: a, b.", "不能用 'loud'。请从以下值中选择：a, b。"),
        (
            "10.0.0.7 leads to 10.0.0.7, a private address. Only public addresses work.",
            "10.0.0.7 指向 10.0.0.7（内网地址），只能使用公网地址。",
        ),
        (
            "There is no gesture 'jump'. Choose from: none, wave.",
            "没有手势 'jump'。请从以下值中选择：none, wave。",
        ),
        (
            "There is no scope 'x'. There are: a, b.",
            "没有权限范围 'x'。可用的有：a, b。",
        ),
        (
            "[jump] is not a directive. There are: happy, wave, and pause with seconds, as in "
            "[pause 0.8].",
            "[jump] 不是可用的指令。可用的有：happy, wave，以及带秒数的停顿，例如 [pause 0.8]。",
        ),
        (
            "The address must start with rtmp:// or rtmps://.",
            "地址必须以 rtmp:// 或 rtmps:// 开头。",
        ),
        (
            "JSON parse error - Expecting value: line 1 column 1 (char 0)",
            "请求内容不是有效的 JSON：Expecting value: line 1 column 1 (char 0)",
        ),
    ],
)
def test_details_are_told_in_the_language_of_the_reader(english: str, chinese: str) -> None:
    details = (ErrorDetail("field", "invalid", english),)

    with translation.override("zh-hans"):
        told = error_body("invalid", InvalidInputError.message, details)
    with translation.override("en"):
        plain = error_body("invalid", InvalidInputError.message, details)

    assert told["error"]["details"][0]["message"] == chinese
    assert told["error"]["message"] == "请求无效。"
    assert plain["error"]["details"][0]["message"] == english
