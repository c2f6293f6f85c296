from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.outputs.rtmp.chunks import (
    AUDIO,
    DEFAULT_CHUNK_BYTES,
    SET_CHUNK_SIZE,
    VIDEO,
    ChunkError,
    ChunkReader,
    Message,
    write_message,
)


def joined(message: Message, channel: int = 6) -> bytes:
    return b"".join(write_message(channel, message, chunk_bytes=DEFAULT_CHUNK_BYTES))


@given(
    st.lists(
        st.builds(
            Message,
            st.sampled_from([AUDIO, VIDEO]),
            st.just(1),
            st.integers(0, 0xFFFFFFFF),
            st.binary(max_size=700),
        ),
        max_size=5,
    ),
    st.integers(1, 200),
)
def test_messages_survive_any_cut_of_the_byte_stream(messages: list[Message], cut: int) -> None:
    data = b"".join(joined(message) for message in messages)
    reader = ChunkReader()

    got = [m for start in range(0, len(data), cut) for m in reader.feed(data[start : start + cut])]

    assert got == messages


def test_reader_follows_the_peers_chunk_size() -> None:
    announced = Message(SET_CHUNK_SIZE, 0, 0, struct.pack(">I", 4096))
    large = Message(VIDEO, 1, 40, bytes(3000))
    reader = ChunkReader()

    messages = list(reader.feed(joined(announced, 2) + b"".join(write_message(6, large))))

    assert messages == [announced, large]


def test_delta_headers_add_up() -> None:
    first = b"\x04" + (100).to_bytes(3, "big") + (1).to_bytes(3, "big") + b"\x08\x01\0\0\0" + b"a"
    delta = b"\x84" + (23).to_bytes(3, "big") + b"b"
    again = b"\xc4" + b"c"

    stamps = [message.timestamp for message in ChunkReader().feed(first + delta + again)]

    assert stamps == [100, 123, 146]


def test_continuation_without_a_beginning_is_refused() -> None:
    with pytest.raises(ChunkError, match="never began"):
        list(ChunkReader().feed(b"\xc7" + bytes(20)))


@given(st.binary(max_size=300))
def test_any_bytes_give_messages_or_a_chunk_error(data: bytes) -> None:
    try:
        list(ChunkReader().feed(data))
    except ChunkError:
        pass


def test_messages_that_are_never_finished_take_bounded_memory() -> None:
    unfinished = Message(VIDEO, 1, 0, bytes(1 << 20))
    begun = b"".join(
        joined(unfinished, channel)[: 12 + DEFAULT_CHUNK_BYTES] for channel in range(2, 64)
    )

    with pytest.raises(ChunkError, match="channels at once"):
        list(ChunkReader().feed(begun))
