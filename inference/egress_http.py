"""HTTP to addresses that users give: what the guard has checked is what is connected to.

    destination = await check(url, allow=allow)
    async with open_session(destination) as session:
        await session.post(read_as_checked(url, destination), allow_redirects=False)

Never follow a redirect: each hop would have to be checked anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from inference.egress import HTTP_SCHEMES, Destination, EgressError, check_url


async def check(url: str, *, allow: tuple[str, ...]) -> Destination:
    """Resolve and check off the loop: a slow name server must not hold up everything else.

    In a thread of its own: nothing ends a look-up, and the end of a loop waits for its executor.
    Raises EgressError.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[Destination] = loop.create_future()

    def tell(finish: Callable[[Any], None], result: Any) -> None:
        if not found.done():  # given up meanwhile
            finish(result)

    def look_up() -> None:
        finish: Callable[[Any], None] = found.set_result
        result: Any
        try:
            result = check_url(url, schemes=HTTP_SCHEMES, allow=allow)
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            finish, result = found.set_exception, error
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(tell, finish, result)

    threading.Thread(target=look_up, name="name-look-up", daemon=True).start()
    return await found


def open_session(destination: Destination, **options: Any) -> aiohttp.ClientSession:
    """A session that reaches the checked addresses and nothing else. options: aiohttp's own."""
    connector = aiohttp.TCPConnector(resolver=_CheckedResolver(destination))
    # No proxy of the environment: it would resolve the name again, behind the guard's back.
    return aiohttp.ClientSession(
        connector=connector, trust_env=False, cookie_jar=aiohttp.DummyCookieJar(), **options
    )


def read_as_checked(url: str, destination: Destination) -> URL:
    """The URL as the client reads it. Raises EgressError when that is not what was checked."""
    try:
        read = URL(url)
    except ValueError as error:
        raise EgressError("The address is not well formed; look at its host and port.") from error
    if (read.scheme, read.host, read.port) != (
        destination.scheme,
        destination.host,
        destination.port,
    ):
        raise EgressError("The address can be read in two ways; write it plainly.")
    return read


class _CheckedResolver(AbstractResolver):
    """Leads to the addresses that were checked, never to the name again (DNS rebinding)."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host.rstrip(".") != self._destination.host.rstrip("."):
            raise OSError(f"{host} was not checked")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._destination.addresses
        ]

    async def close(self) -> None:
        """Nothing is held."""
