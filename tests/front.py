"""A real nginx with the product's own configuration, in front of web processes of a test."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from scripts.provision.paths import ROOT
from tests.services import (
    HOST,
    free_port,
    is_listening,
    nginx_scratch,
    run_tool,
    running,
    work_folder,
)

NGINX_TEMPLATE = ROOT / "deploy" / "nginx" / "livestudio.conf.template"


@dataclass(frozen=True, slots=True)
class FrontServer:
    """nginx with `deploy/nginx/`, TLS with a certificate of its own for localhost."""

    port: int
    http_port: int
    certificate: Path
    folder: Path

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def log(self) -> str:
        """Access lines so far."""
        return (self.folder / "access.log").read_text(errors="replace")


@contextmanager
def front_server(web_ports: Sequence[int]) -> Iterator[FrontServer]:
    """nginx in front of web processes on these ports of 127.0.0.1."""
    with work_folder("front") as folder:
        port, http_port = free_port(), free_port()
        certificate = write_certificate(folder)
        values = {
            "SERVER_NAME": "localhost",
            "WEB_SERVERS": " ".join(f"server {HOST}:{web} fail_timeout=1s;" for web in web_ports),
            "HTTP_LISTEN": f"{HOST}:{http_port}",
            "HTTPS_LISTEN": f"{HOST}:{port}",
            "HTTPS_PORT_SUFFIX": f":{port}",
            "TLS_CERTIFICATE": str(certificate),
            "TLS_KEY": str(certificate),
            "CACHE_FOLDER": str(folder / "cache"),
            "ACCESS_LOG": str(folder / "access.log"),
        }
        configuration = folder / "nginx.conf"
        configuration.write_text(_front_configuration(folder, values))
        arguments: list[str | Path] = ["-p", folder, "-c", configuration]
        run_tool("nginx", *arguments, "-t", "-q")
        with running("nginx", arguments, folder=folder, is_ready=lambda: is_listening(port)):
            yield FrontServer(port, http_port, certificate, folder)


def fill_template(text: str, values: dict[str, str]) -> str:
    """What `envsubst` with these names makes of a configuration."""
    for name, value in values.items():
        text = text.replace(f"${{{name}}}", value)
    return text


def write_certificate(folder: Path) -> Path:
    """A key and its own certificate for localhost, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "tls.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


def _front_configuration(folder: Path, values: dict[str, str]) -> str:
    user = "user root;" if os.geteuid() == 0 else ""
    return f"""\
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr notice;
events {{ worker_connections 2048; }}
http {{
{nginx_scratch(folder)}
{fill_template(NGINX_TEMPLATE.read_text(), values)}
}}
"""
