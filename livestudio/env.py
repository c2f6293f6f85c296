"""Typed readers of environment variables; a wrong value stops the start with one clear line."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import environ
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"", "0", "false", "no", "off"})


class SettingError(ImproperlyConfigured):
    """One environment variable has a value that cannot work; the text says what is allowed."""


def refuse(name: str, value: str, allowed: str) -> NoReturn:
    """Raise the one line that names the variable, its value and what is allowed."""
    raise SettingError(f"{name}={value!r} cannot be used. Allowed: {allowed}.")


def read_text(name: str, default: str = "") -> str:
    """The value without surrounding blanks; unset and empty both give the default."""
    return os.environ.get(name, "").strip() or default


def read_choice(name: str, allowed: tuple[str, ...], default: str) -> str:
    value = read_text(name, default)
    if value not in allowed:
        refuse(name, value, " or ".join(allowed))
    return value


def read_flag(name: str) -> bool:
    """False when unset."""
    value = read_text(name).lower()
    if value not in _TRUE | _FALSE:
        refuse(name, value, "1 or 0")
    return value in _TRUE


def read_integer(name: str, default: int, *, lowest: int, highest: int) -> int:
    value = read_text(name, str(default))
    if not value.isascii() or not value.isdigit() or not lowest <= int(value) <= highest:
        refuse(name, value, f"a whole number from {lowest} to {highest}")
    return int(value)


def read_list(name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Comma-separated values without blanks; unset gives the default."""
    raw = read_text(name)
    if not raw:
        return default
    return tuple(item.strip() for item in raw.split(",") if item.strip())


def read_checked_list(
    name: str, default: tuple[str, ...], is_allowed: Callable[[str], bool], allowed: str
) -> tuple[str, ...]:
    """Like `read_list`, each item tested by `is_allowed`."""
    items = read_list(name, default)
    for item in items:
        if not is_allowed(item):
            refuse(name, item, allowed)
    return items


def read_port_range(name: str) -> tuple[int, int]:
    """(first, last); (0, 0) when unset, which means any port."""
    value = read_text(name)
    if not value:
        return (0, 0)
    first, _, last = value.partition("-")
    if not (first.isdigit() and last.isdigit() and 1024 <= int(first) <= int(last) <= 65535):
        refuse(name, value, "a range such as 40000-40100, from 1024 to 65535")
    return int(first), int(last)


def read_ice_servers(name: str) -> tuple[dict[str, Any], ...]:
    """ICE servers as browsers take them: a JSON list of objects with `urls`."""
    value = read_text(name, "[]")
    try:
        servers = json.loads(value)
    except ValueError:
        servers = None
    is_list = isinstance(servers, list)
    if not is_list or not all(isinstance(item, dict) and item.get("urls") for item in servers):
        refuse(name, value, 'a JSON list such as [{"urls": ["stun:stun.example.org:3478"]}]')
    return tuple(servers)


def read_mail_server(name: str) -> dict[str, Any]:
    """Django's EMAIL_ settings of an address such as smtp+tls://user:password@host:587; {} unset.

    smtp+tls: STARTTLS; smtp+ssl: TLS from the first byte; smtp: without.
    """
    value = read_text(name)
    if not value:
        return {}
    scheme, _, rest = value.partition("://")
    if scheme not in ("smtp", "smtp+tls", "smtp+ssl") or not rest.rpartition("@")[2]:
        # The address may hold a password: show its scheme only.
        shown = f"{scheme}://…" if "://" in value else "…"
        refuse(name, shown, "smtp+tls://user:password@mail.example.org:587, or smtp+ssl://")
    try:
        return dict(environ.Env.email_url_config(value))
    except ValueError:
        refuse(name, f"{scheme}://…", "an address with a port that is a number")


def read_folder(name: str, default: Path) -> Path:
    """An absolute folder, created when missing and tested for writing."""
    folder = Path(read_text(name, str(default))).expanduser().resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        refuse(name, str(folder), f"a folder this user may create and write ({error.strerror})")
    if not os.access(folder, os.W_OK | os.X_OK):
        refuse(name, str(folder), "a folder this user may write")
    return folder


def read_or_create_secret(name: str, path: Path, generate: Callable[[], str]) -> str:
    """The variable, else the text kept in `path` (0600), generated there the first time."""
    value = read_text(name)
    if value:
        return value
    if not path.exists():
        _create_secret_file(path, generate())
    kept = path.read_text(encoding="utf-8").strip()
    if not kept:
        refuse(name, "", f"a value, or a non-empty file {path} (delete it to make a new one)")
    return kept


def generate_secret_key() -> str:
    return secrets.token_urlsafe(48)


def generate_field_key() -> str:
    """A new key for FIELD_KEYS, see `livestudio.common.vault`."""
    return Fernet.generate_key().decode()


def is_field_key(text: str) -> bool:
    """Whether the text is a key that FIELD_KEYS may hold."""
    try:
        Fernet(text)
    except ValueError:
        return False
    return True


def _create_secret_file(path: Path, value: str) -> None:
    # Written aside and linked: two processes that start together agree on one secret, whole.
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(value)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
