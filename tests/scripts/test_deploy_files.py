"""docker-compose.yml, Dockerfile, nginx configuration and code agree with each other."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
import yaml

from scripts.provision.checks import PRODUCT_SETTINGS
from scripts.provision.paths import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
TEMPLATE = (ROOT / "deploy" / "nginx" / "livestudio.conf.template").read_text()


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return parsed


def test_services_build_targets_that_exist_or_name_a_pinned_image(compose: dict[str, Any]) -> None:
    targets = set(re.findall(r"^FROM \S+ AS (\w+)$", DOCKERFILE, re.MULTILINE))

    assert {"web", "runner"} <= targets
    for name, service in compose["services"].items():
        if "build" in service:
            assert service["build"]["target"] in targets, name
        else:
            assert re.fullmatch(r"\w+:[\d.]+", service["image"]), name


def test_settings_of_the_web_are_settings_that_it_reads(compose: dict[str, Any]) -> None:
    for name in ("web1", "web2", "control", "migrate"):
        environment = compose["services"][name]["environment"]
        assert environment["MODE"] == "production"
        assert set(environment) <= PRODUCT_SETTINGS | {"EMAIL_URL"}, name


def test_every_variable_of_the_nginx_configuration_is_given(compose: dict[str, Any]) -> None:
    used = set(re.findall(r"\$\{(\w+)\}", re.sub(r"^#.*$", "", TEMPLATE, flags=re.MULTILINE)))

    assert used == set(compose["services"]["nginx"]["environment"])
    told = set(re.findall(r"^#   ([A-Z_]+) ", TEMPLATE, re.MULTILINE))
    assert told == used


def test_nginx_asks_every_web_process(compose: dict[str, Any]) -> None:
    servers = compose["services"]["nginx"]["environment"]["WEB_SERVERS"]
    webs = {name for name in compose["services"] if name.startswith("web")}

    assert set(re.findall(r"server (\w+):8000 fail_timeout=1s;", servers)) == webs


def test_what_nginx_asks_keeps_its_address_when_it_is_made_anew(compose: dict[str, Any]) -> None:
    (pool,) = compose["networks"]["default"]["ipam"]["config"]
    ranges = {name: ip_network(_by_default(text)) for name, text in pool.items()}
    webs = [service for name, service in compose["services"].items() if name.startswith("web")]
    own = {
        ip_address(_by_default(service["networks"]["default"]["ipv4_address"])) for service in webs
    }

    assert len(own) == len(webs) == 2
    for address in own:
        assert address in ranges["subnet"]
        # Docker gives what lies there to whoever starts first.
        assert address not in ranges["ip_range"]


def _by_default(text: str) -> str:
    """With no variable set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def test_secrets_come_from_outside_and_are_demanded(compose: dict[str, Any]) -> None:
    texts = [
        str(value)
        for service in compose["services"].values()
        for key, value in service.get("environment", {}).items()
        if re.search("PASSWORD|SECRET|KEYS", key)
    ]

    assert texts
    assert all(re.fullmatch(r"\$\{\w+:\?set it in \.env\}", text) for text in texts)


def test_named_volumes_and_files_exist(compose: dict[str, Any]) -> None:
    mounted = {
        volume.partition(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", ())
    }
    folders = {name for name in mounted if name.startswith("./")}

    assert mounted - folders == set(compose["volumes"])
    assert folders == {"./deploy/nginx", "./deploy/tls"}
    assert "deploy/tls" in (ROOT / ".dockerignore").read_text()


def test_images_copy_what_exists_and_hold_no_torch_nor_secret() -> None:
    sources = re.findall(r"^COPY (?:--chown=\w+ )?(?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    for source in " ".join(sources).split():
        assert (ROOT / source).exists() or (ROOT / "frontend" / source).exists(), source
    assert "torch" not in (ROOT / "requirements" / "base.txt").read_text().split()
    assert not re.search(r"^(ENV|ARG) .*(SECRET|PASSWORD|KEYS)", DOCKERFILE, re.MULTILINE)


def test_web_image_trusts_the_proxy_only_where_one_stands() -> None:
    assert '"--proxy-headers"' in DOCKERFILE
    assert "proxy_set_header X-Forwarded-For   $remote_addr;" in TEMPLATE
