"""Typed readers of environment variables; a wrong value stops the start with one clear line."""

from __future__ import annotations

import email.utils
import ipaddress
import json
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NoReturn
from urllib.parse import SplitResult, urlsplit

import environ
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"", "0", "false", "no", "off"})
# RFC 1123, and what Django takes beside it: a dot for all below, an address in brackets, anything.
_HOST: Final = re.compile(r"\.?[\w-]+(\.[\w-]+)*\.?|\[[0-9A-Fa-f:.]+\]|\*", re.ASCII)
_ICE_URL: Final = re.compile(r"(stuns?|turns?):[^\s/]+", re.ASCII)


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
    is_range = value.isascii() and first.isdigit() and last.isdigit()
    if not is_range or not 1024 <= int(first) <= int(last) <= 65535:
        refuse(name, value, "a range such as 40000-40100, from 1024 to 65535")
    return int(first), int(last)


def read_ice_servers(name: str) -> tuple[dict[str, Any], ...]:
    """ICE servers as browsers take them: a JSON list of objects with `urls`."""
    value = read_text(name, "[]")
    try:
        servers = json.loads(value)
    except ValueError:
        servers = None
    if not isinstance(servers, list) or not all(map(_is_ice_server, servers)):
        # An entry may hold a secret: show no more than a mistake in JSON needs.
        shown = "…" if isinstance(servers, list) else value
        refuse(name, shown, 'a JSON list such as [{"urls": ["stun:stun.example.org:3478"]}]')
    return tuple(servers)


def _is_ice_server(item: object) -> bool:
    """`urls` of stun: or turn:, and nothing but text for user name, credential and secret."""
    if not isinstance(item, dict):
        return False
    urls = [item.get("urls")] if isinstance(item.get("urls"), str) else item.get("urls")
    if not isinstance(urls, list) or not urls:
        return False
    texts = [item[key] for key in ("username", "credential", "secret") if key in item]
    are_urls = all(isinstance(url, str) and _ICE_URL.fullmatch(url) for url in urls)
    return are_urls and all(isinstance(text, str) for text in texts)


def read_hosts(name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Host names and addresses, without scheme, port or path."""
    allowed = "host names such as studio.example.org, comma-separated, without scheme and port"
    return read_checked_list(name, default, is_host, allowed)


def is_host(text: str) -> bool:
    """Whether a text has the form of a host name or of an address in brackets."""
    return _HOST.fullmatch(text) is not None


def is_origin(text: str) -> bool:
    """Whether a text is an origin as browsers send it: scheme, host and perhaps a port."""
    parts = _address(text)
    if parts is None or parts.scheme not in ("http", "https") or "@" in parts.netloc:
        return False
    return text == f"{parts.scheme}://{parts.netloc}"


def _address(text: str) -> SplitResult | None:
    """Its parts, if it has a host and, where it names a port, one that is a number."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return None
    return parts if ":" in host or is_host(host) else None


def read_server(name: str, schemes: tuple[str, ...], allowed: str, *, path: bool) -> str:
    """The address of a server, with a path where `path` says so; empty when unset.

    It may hold a password: a refusal shows its scheme only.
    """
    value = read_text(name)
    parts = _address(value)
    is_wrong = parts is None or parts.scheme not in schemes or (path and not parts.path.strip("/"))
    if value and is_wrong:
        refuse(name, f"{value.partition('://')[0]}://…", allowed)
    return value


def read_database_file(name: str) -> Path:
    """The file of a sqlite:// address, in a folder that exists."""
    value = read_text(name)
    path = Path(value.removeprefix("sqlite://").removeprefix("/").partition("?")[0])
    if not path.name or not path.parent.is_dir() or path.is_dir():
        refuse(name, value, "sqlite:////folder/that/exists/file.sqlite3")
    return path


def read_listener(name: str, default: str) -> str:
    """A host name or address to listen on, without the brackets of IPv6."""
    value = read_text(name, default)
    bare = value.removeprefix("[").removesuffix("]")
    if bare == "*" or not (is_host(bare) or bare == "::" or is_address(bare)):
        refuse(name, value, "an address of this machine such as 127.0.0.1, 0.0.0.0 or ::1")
    return bare


def is_address(text: str) -> bool:
    """Whether a text is the IP address of a machine."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_unspecified or address.is_multicast)


def read_place(name: str, default: Path) -> Path:
    """Where a folder is, or will be made."""
    place = Path(read_text(name, str(default)))
    if place.exists() and not place.is_dir():
        refuse(name, str(place), "a folder, or a place for one")
    return place


def read_sender(name: str, default: str) -> str:
    """`Name <address>` or an address, as the sender of a mail."""
    value = read_text(name, default)
    address = email.utils.parseaddr(value)[1]
    if not value.isprintable() or not re.fullmatch(r"[^@\s<>]+@[^@\s<>]+", address):
        refuse(name, value, "a sender such as LiveStudio <studio@example.org>")
    return value


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
        try:
            _create_secret_file(path, generate())
        except OSError as error:
            refuse(name, "", f"a value, or room for it in {path.parent} ({error.strerror})")
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
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(value)
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
