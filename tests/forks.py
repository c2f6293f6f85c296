"""Several processes on the database of the tests, whichever it is."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from asgiref.sync import SyncToAsync
from django.db import connection, connections


@contextmanager
def shared_database(folder: Path) -> Iterator[None]:
    """Let forks see the database of the tests: SQLite's lies in memory, so it moves to a file."""
    memory, name = connection.connection, connection.settings_dict["NAME"]
    if connection.vendor != "sqlite":
        connections.close_all()
        yield
        return
    file = sqlite3.connect(folder / "storm.sqlite3")
    memory.backup(file)
    # Of many connections that switch it over at once, some are refused without waiting.
    file.execute("PRAGMA journal_mode=WAL")
    file.close()
    connection.connection, connection.settings_dict["NAME"] = None, str(folder / "storm.sqlite3")
    try:
        yield
    finally:
        if connection.connection is not None:
            connection.connection.close()
        connection.connection, connection.settings_dict["NAME"] = memory, name


def at_once(work: Callable[[int], int], processes: int) -> list[int]:
    """What `work(number)` answered in each of so many forks that begin together.

    Call it inside `shared_database`. Raises AssertionError when one of them failed.
    """
    context = multiprocessing.get_context("fork")
    gate, answers = context.Barrier(processes), context.SimpleQueue()

    def run(number: int) -> None:
        try:
            gate.wait()
            answers.put(work(number))
        except Exception as error:  # noqa: BLE001 - told to the parent, whatever it is
            answers.put(repr(error))
        finally:
            connections.close_all()
            os._exit(0)

    # A connection must not be shared by two processes: a fork drops those of other threads, and
    # with them the server's side. Asynchronous tests ask the database on a thread that is kept.
    connections.close_all()
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()
    forks: list[Any] = [context.Process(target=run, args=(n,)) for n in range(processes)]
    for fork in forks:
        fork.start()
    found: list[Any] = [answers.get() for _ in forks]
    for fork in forks:
        fork.join(60)
    assert all(isinstance(item, int) for item in found), found
    return found
