"""Every text of the admin has a Chinese translation, and the compiled file is the written one."""

from __future__ import annotations

import ast
import gettext
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.core.validators import ProhibitNullCharactersValidator
from django.utils import translation
from django.utils.translation import gettext as translate

ROOT = Path(__file__).resolve().parents[2]
APPS = (
    "accounts",
    "metering",
    "avatars",
    "voices",
    "webhooks",
    "streams",
    "inference",
    "livestudio",
)
FOLDER = ROOT / "livestudio" / "locale" / "zh_Hans" / "LC_MESSAGES"
# Its catalog calls the null character an empty string.
WRONG_IN_DJANGO = frozenset({"Null characters are not allowed."})
FUNCTIONS = frozenset({"_", "gettext", "gettext_lazy"})
# Texts of Django's admin that its own catalog lacks.
LEFT_BY_DJANGO = frozenset({
    "Add link", "Change or view list link", "Model name",
    "After you’ve created a user, you’ll be able to edit more user options.",
})  # fmt: skip


def catalog() -> dict[str, str]:
    with (FOLDER / "django.mo").open("rb") as file:
        return dict(gettext.GNUTranslations(file)._catalog)  # type: ignore[attr-defined]


def texts_in_templates() -> Iterator[str]:
    for path in (path for app in APPS for path in (ROOT / app).rglob("templates/**/*.html")):
        yield from re.findall(r"""{% translate ["'](.+?)["'] %}""", path.read_text("utf-8"))


def texts() -> set[str]:
    return {*texts_in_code(), *texts_in_templates()}


def texts_in_code() -> Iterator[str]:
    for path in (path for app in APPS for path in (ROOT / app).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                first = node.args[0] if node.args else None
                if node.func.id in FUNCTIONS and isinstance(first, ast.Constant):
                    yield str(first.value)


def test_every_text_is_translated() -> None:
    translated = catalog()

    missing = {text for text in texts() if not translated.get(text)}

    assert missing == set(), "add to django.po, then: msgfmt -o django.mo django.po"


def test_no_translation_is_left_over() -> None:
    left_over = catalog().keys() - texts() - LEFT_BY_DJANGO - WRONG_IN_DJANGO - {""}

    assert left_over == set()


def test_compiled_file_is_the_written_one() -> None:
    text = (FOLDER / "django.po").read_text(encoding="utf-8")
    pairs = re.findall(r'^msgid "(.+)"\nmsgstr "(.+)"$', text, re.MULTILINE)
    written = {ast.literal_eval(f'"{key}"'): ast.literal_eval(f'"{value}"') for key, value in pairs}

    assert {key: value for key, value in catalog().items() if key} == written


def test_placeholders_survive_translation() -> None:
    for source, target in catalog().items():
        assert re.findall(r"%\w", source) == re.findall(r"%\w", target), source


@pytest.mark.parametrize(("language", "expected"), [("zh-hans", "数字人"), ("en", "avatar")])
def test_django_finds_the_translation(language: str, expected: str) -> None:
    with translation.override(language):
        assert translate("avatar") == expected


def test_null_character_is_not_called_an_empty_string() -> None:
    with translation.override("zh-hans"):
        with pytest.raises(ValidationError) as refused:
            ProhibitNullCharactersValidator()("a\x00b")

        # Translated where it is read, not where it is raised.
        assert refused.value.messages == ["内容里有看不见的空字符（NUL），请删除后重新输入。"]
