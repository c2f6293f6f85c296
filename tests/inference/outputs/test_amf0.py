from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.outputs.rtmp import amf0

VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: st.dictionaries(st.text(min_size=1, max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(st.lists(VALUES, max_size=4))
def test_what_is_encoded_decodes_to_the_same(values: list[object]) -> None:
    assert amf0.decode(amf0.encode(*values)) == values


def test_connect_command_has_the_bytes_of_the_specification() -> None:
    data = amf0.encode("connect", 1, {"app": "live"})

    expected = b"\x02\x00\x07connect\x00\x3f\xf0" + bytes(6) + b"\x03\x00\x03app\x02\x00\x04live"
    assert data == expected + b"\x00\x00\x09"


@given(st.binary(max_size=200))
def test_any_bytes_give_values_or_an_amf0_error(data: bytes) -> None:
    try:
        amf0.decode(data)
    except amf0.Amf0Error:
        pass


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(amf0.Amf0Error, match="deep"):
        amf0.decode(b"\x03\x00\x01a" * 100)
