"""A network of its own, on a bridge that this machine does not see: one address per name."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PREFIX: Final = "10.213.0"
_CLONE_NEWNET: Final = 0x40000000


class Network:
    """Namespaces joined by a bridge, each held by a process that sleeps; they end with it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._holders: dict[str, subprocess.Popen[bytes]] = {"": _hold()}
        self.addresses: dict[str, str] = {}
        self._joined = 0
        self._at("", "ip link set lo up")
        self._at("", "ip link add name bridge0 type bridge")
        self._at("", f"ip addr add {PREFIX}.1/24 dev bridge0")
        self._at("", "ip link set bridge0 up")

    def join(self, name: str, address: str = "") -> int:
        """A namespace for that name; the process that holds it.

        address: its own, else the next that nobody has had.
        """
        self._leave(name)
        holder = self._holders[name] = _hold()
        self._joined += 1
        port, address = f"port{self._joined}", address or f"{PREFIX}.{127 + self._joined}"
        self._at("", f"ip link add name {port} type veth peer name eth0 netns {holder.pid}")
        # Of the address, as Docker's: neighbours know who has it made anew.
        hardware = "02:42:" + ":".join(f"{int(part):02x}" for part in address.split("."))
        self._at(name, f"ip link set eth0 address {hardware}")
        self._at("", f"ip link set {port} master bridge0")
        self._at("", f"ip link set {port} up")
        self._at(name, "ip link set lo up")
        self._at(name, f"ip addr add {address}/24 dev eth0")
        self._at(name, "ip link set eth0 up")
        self.addresses[name] = address
        return holder.pid

    def _leave(self, name: str) -> None:
        if name in self._holders:
            # Before the end of the namespace, which takes a while.
            self._at(name, "ip link del eth0")
            self._holders[name].kill()
            self._holders[name].wait()

    def hosts_file(self) -> Path:
        """Names and addresses as /etc/hosts has them."""
        path = self._folder / "hosts"
        lines = [f"{address} {name}" for name, address in self.addresses.items()]
        path.write_text("\n".join(["127.0.0.1 localhost", *lines, ""]))
        return path

    @contextmanager
    def inside(self, name: str = "") -> Iterator[None]:
        """This thread, and what it starts, in that namespace; without a name, on the bridge."""
        outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            _enter(f"/proc/{self._holders[name].pid}/ns/net")
            yield
        finally:
            _enter(f"/proc/self/fd/{outside}")
            os.close(outside)

    def close(self) -> None:
        """End every namespace that nothing else runs in."""
        for holder in self._holders.values():
            holder.kill()
            holder.wait()

    def _at(self, name: str, command: str) -> None:
        into = ["nsenter", f"--net=/proc/{self._holders[name].pid}/ns/net"]
        subprocess.run([*into, *command.split()], check=True, capture_output=True)


def _hold() -> subprocess.Popen[bytes]:
    # It tells when it is there: before, its namespace is still ours.
    holder = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "echo; exec sleep infinity"], stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    holder.stdout.close()
    return holder


def _enter(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {path}")
    finally:
        os.close(descriptor)
