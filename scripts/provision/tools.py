"""How to start what `.tools/` holds: executable, first arguments and environment.

The one place that knows about library paths; tests and `manage.py doctor` ask here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from .debian import SYSTEM_CHROMIUM
from .paths import TOOLS, VENV

HINT = "Run `python3 scripts/bootstrap.py test` once: it installs what tests and benchmarks need."

PLACES = {
    "chromium": "usr/lib/chromium/chromium",
    "coturn": "usr/bin/turnserver",
    "mariadb-admin": "usr/bin/mariadb-admin",
    "mariadb-install-db": "usr/bin/mariadb-install-db",
    "mariadb-tzinfo-to-sql": "usr/bin/mariadb-tzinfo-to-sql",
    "mariadb": "usr/bin/mariadb",
    "mariadbd": "usr/sbin/mariadbd",
    "nginx": "usr/sbin/nginx",
    "nginx-rtmp-module": "usr/lib/nginx/modules/ngx_rtmp_module.so",
    "redis": "usr/bin/redis-server",
}
# libnss3 and libpulse open further libraries from these by name.
LIBRARY_FOLDERS = ("", "nss", "pulseaudio")


class MissingToolError(Exception):
    """Something that the tests start is not in `.tools/`; the message says what to run."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A program ready to start: `[executable, *arguments, …]` with `environment`."""

    executable: Path
    arguments: tuple[str, ...]
    environment: dict[str, str]

    def command(self, *more: str | Path) -> list[str]:
        """Argument list for subprocess."""
        return [str(self.executable), *self.arguments, *(str(part) for part in more)]


def tool_path(name: str, root: Path = TOOLS) -> Path:
    """Where `name` lies in `.tools/`. Raises MissingToolError."""
    path = root / PLACES[name]
    if not path.exists():
        raise MissingToolError(f"{name} is not at {path}. {HINT}")
    return path


def find_tool(name: str, root: Path = TOOLS) -> Tool:
    """Program `name` of `.tools/` with the environment that it needs. Raises MissingToolError."""
    return Tool(tool_path(name, root), (), {**os.environ, **library_environment(root)})


def find_chromium(root: Path = TOOLS, system: Path = SYSTEM_CHROMIUM) -> Tool:
    """Chromium for the browser journeys: the machine's own, else the one in `.tools/`.

    Headless, without sandbox: unpacked as we do it, the setuid helper cannot work, and it only
    ever opens our own pages. With Playwright: `launch(executable_path=str(tool.executable),
    args=list(tool.arguments), env=tool.environment)`. Raises MissingToolError.
    """
    arguments = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
    if system.exists():
        return Tool(system, arguments, dict(os.environ))
    own = {
        "FONTCONFIG_FILE": str(write_font_configuration(root)),
        # The machine's GLib modules are made for the machine's GLib, not for ours.
        "GIO_MODULE_DIR": str(root / "none"),
    }
    environment = {**os.environ, **library_environment(root), **own}
    return Tool(tool_path("chromium", root), arguments, environment)


def library_environment(root: Path = TOOLS) -> dict[str, str]:
    """LD_LIBRARY_PATH with which programs below `root` find their libraries."""
    bases = sorted([*root.glob("lib/*-linux-gnu*"), *root.glob("usr/lib/*-linux-gnu*")])
    folders = [str(base / name) for base in bases for name in LIBRARY_FOLDERS]
    return {"LD_LIBRARY_PATH": os.pathsep.join(folders)}


def write_font_configuration(root: Path) -> Path:
    """A fontconfig file with the unpacked fonts and the packaged CJK font; machine's own left out.

    Text so looks the same in screenshots on every machine.
    """
    path = root / "fonts.conf"
    folders = [root / "usr/share/fonts", *VENV.glob("lib/python3*/site-packages/noto_cjk_sans_otc")]
    lines = "".join(f"  <dir>{folder}</dir>\n" for folder in folders)
    text = (
        '<?xml version="1.0"?>\n<!DOCTYPE fontconfig SYSTEM "fonts.dtd">\n<fontconfig>\n'
        f"{lines}  <cachedir>{root / 'font-cache'}</cachedir>\n</fontconfig>\n"
    )
    if not path.exists() or path.read_text() != text:
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(text)
        draft.replace(path)
    return path
