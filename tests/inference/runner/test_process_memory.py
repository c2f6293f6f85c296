"""Memory is told by kind of process, all of a kind together."""

from __future__ import annotations

import os

from inference.runner.process_memory import proportional_set_mib


def test_processes_of_one_kind_are_added_up() -> None:
    own = os.getpid()

    sizes = proportional_set_mib([("core", own), ("pusher", own), ("pusher", own)])

    assert sizes["pusher"] > 1.9 * sizes["core"] > 0


def test_process_that_has_gone_is_left_out() -> None:
    assert proportional_set_mib([("pusher", 2**22 + 1)]) == {}
