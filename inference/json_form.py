"""Dataclasses to JSON and strictly back: what does not fit is refused by the name of its field."""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any, Literal, TypeVar, Union

Json = dict[str, Any]
T = TypeVar("T")


class ProtocolError(ValueError):
    """A message or spec does not have the agreed shape; the text names the field."""


def encode(value: Any) -> Json:
    """The JSON form of a dataclass."""
    return dataclasses.asdict(value)


def decode(cls: type[T], raw: Any, path: str = "") -> T:
    """Build `cls` from parsed JSON. Unknown fields are ignored, wrong ones raise ProtocolError."""
    if not isinstance(raw, dict):
        raise ProtocolError(f"{path or cls.__name__}: expected an object, got {_name(raw)}")
    hints = typing.get_type_hints(cls)
    values: Json = {}
    for item in dataclasses.fields(cls):  # type: ignore[arg-type]  # T is always a dataclass here
        where = f"{path}.{item.name}" if path else item.name
        if item.name in raw:
            values[item.name] = _decode_value(hints[item.name], raw[item.name], where)
        elif item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            raise ProtocolError(f"{where}: missing")
    return cls(**values)


def _decode_value(hint: Any, raw: Any, path: str) -> Any:
    origin = typing.get_origin(hint)
    if origin in (Union, types.UnionType):
        return _decode_union(hint, raw, path)
    if origin is Literal:
        return _decode_literal(hint, raw, path)
    if origin is tuple:
        return _decode_tuple(hint, raw, path)
    if dataclasses.is_dataclass(hint):
        return decode(typing.cast(type, hint), raw, path)
    if hint is Any:
        return raw
    return _decode_scalar(origin or hint, raw, path)


def _decode_union(hint: Any, raw: Any, path: str) -> Any:
    if raw is None and type(None) in typing.get_args(hint):
        return None
    options = [option for option in typing.get_args(hint) if option is not type(None)]
    return _decode_value(options[0], raw, path)


def _decode_literal(hint: Any, raw: Any, path: str) -> Any:
    allowed = typing.get_args(hint)
    if raw not in allowed:
        raise ProtocolError(f"{path}: {raw!r} is not one of {', '.join(map(str, allowed))}")
    return raw


def _decode_tuple(hint: Any, raw: Any, path: str) -> tuple[Any, ...]:
    if not isinstance(raw, list | tuple):
        raise ProtocolError(f"{path}: expected a list, got {_name(raw)}")
    args = typing.get_args(hint)
    if args[-1] is Ellipsis:
        return tuple(_decode_value(args[0], item, f"{path}[{i}]") for i, item in enumerate(raw))
    if len(raw) != len(args):
        raise ProtocolError(f"{path}: expected {len(args)} items, got {len(raw)}")
    pairs = zip(args, raw, strict=True)
    return tuple(_decode_value(kind, item, f"{path}[{i}]") for i, (kind, item) in enumerate(pairs))


def _decode_scalar(kind: Any, raw: Any, path: str) -> Any:
    # bool is an int in Python; a flag where a number belongs is a mistake of the sender.
    if kind is float and isinstance(raw, int) and not isinstance(raw, bool):
        return float(raw)
    if not isinstance(raw, kind) or (isinstance(raw, bool) and kind is not bool):
        raise ProtocolError(f"{path}: expected {kind.__name__}, got {_name(raw)}")
    return raw


def _name(raw: Any) -> str:
    return "null" if raw is None else type(raw).__name__
