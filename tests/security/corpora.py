"""Texts that have broken other programs; every door must refuse them or keep them as they are."""

from __future__ import annotations

from typing import Final

SQL: Final = (
    "' OR '1'='1' --",
    "'; DROP TABLE streams_show; --",
    '" UNION SELECT password FROM accounts_user --',
    "1) OR SLEEP(5)#",
    "%' ESCAPE '\\",
)
MARKUP: Final = (
    "<script>document.title='owned'</script>",
    '"><img src=x onerror="document.title=\'owned\'">',
    "<svg/onload=document.title='owned'>",
    "javascript:document.title='owned'",
    "</title><script>document.title='owned'</script>",
    "<a href=//evil.test style=position:fixed;inset:0>x</a>",
)
TEMPLATES: Final = (
    "{{7*7}}", "{% load log %}", "${7*7}", "#{7*7}", "{0.__class__}", "%(x)s %s %n",
)  # fmt: skip
MESSAGES: Final = (
    "{count, plural, other {# of {x}}}", "{", "}", "@:{'a'}", "a | b | c", "{{'a'}}",
)  # fmt: skip
HEADERS: Final = (
    "a\r\nSet-Cookie: owned=1",
    "a\nX-Owned: 1",
    "a\r\n\r\n<h1>owned</h1>",
    'a"; x="b',
)
FORMULAS: Final = (
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(1)",
    "\t=1+1",
    "\r=1+1",
    '=HYPERLINK("//evil.test")',
)
PATHS: Final = (
    "../../../../etc/passwd",
    "..\\..\\x",
    "/etc/passwd",
    "%2e%2e%2f",
    "a/../../b",
    "C:\\x",
)
UNICODE: Final = (
    "\u202eevil\u202c",  # right-to-left override
    "a\u200b\u200d\ufeffb",  # zero width
    "\u0301" * 200,  # marks without a letter
    "\ufdfd" * 50,
    "𝕳𝖔𝖘𝖙 \U0010ffff",
    "İıſK",  # change their length or letter with their case
    "\x1b[31mred\x07",
)
NULLS: Final = ("a\x00b", "\x00")
LONE_SURROGATES: Final = ("\ud800", "a\udfffb")
LONG: Final = ("A" * 100_000,)
TEXTS: Final = (
    SQL + MARKUP + TEMPLATES + MESSAGES + HEADERS + FORMULAS + PATHS + UNICODE + NULLS
    + LONE_SURROGATES + LONG
)  # fmt: skip
NUMBERS: Final = (
    "-1", "0", "1e400", "NaN", "Infinity", "-Infinity", "9" * 30, "9" * 5000, "0x10", "1_0", "٣",
    "2147483648", "9223372036854775808", "1.5", "",
)  # fmt: skip
# Bodies that are no JSON object of any form we take.
BODIES: Final = {
    "nothing": b"",
    "a list": b"[]",
    "a text": b'"x"',
    "a number": b"1",
    "null": b"null",
    "cut": b'{"a": ',
    "not a number": b'{"a": NaN}',
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "not UTF-8": b'{"a": "\xff\xfe"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "with a mark": b"\xef\xbb\xbf{}",
    "same key twice": b'{"title": "a", "title": {"b": 1}}',
    "long number": b'{"a": ' + b"9" * 10_000 + b"}",
    "prototype": b'{"__proto__": {"is_staff": true}, "constructor": {"prototype": {}}}',
    "too large": b'{"a": "' + b"A" * (3 * 1024 * 1024) + b'"}',
}
