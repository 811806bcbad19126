"""Converts values from YAML into a dataclass, and reports what does not fit.

The annotations of the dataclass are the schema: text, numbers, lists, mappings and
other dataclasses. An unknown key is refused, with the nearest known one. The keys of a
field that is ``BESIDE`` stand beside those of the dataclass it belongs to.
"""

import difflib
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from transforms.errors import ConfigError, printable

# Metadata of a field that is a dataclass.
BESIDE: Final = {"beside": True}

_LONGEST_WORD: Final = 100  # characters compared

_IN_WORDS: Final = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}


def convert(kind: Any, value: Any, key: str, source: str) -> Any:
    """Converts a YAML value to the type of a field.

    Args:
        kind: The type: a dataclass, ``tuple[str, ...]``, ``Mapping``, a scalar's.
        value: The value from YAML.
        key: Dotted key of the value, for messages.
        source: The file that it comes from.

    Raises:
        ConfigError: The value is not of that type, or has unknown or missing keys.
    """
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in get_args(kind):
            return None
        options = [option for option in get_args(kind) if option is not type(None)]
        # Of text and a dataclass, a mapping is the dataclass; of text and a list, a
        # list is the list.
        options.sort(key=is_dataclass, reverse=isinstance(value, dict))
        options.sort(
            key=lambda option: getattr(option, "__origin__", None) is tuple,
            reverse=isinstance(value, list | tuple),
        )
        return convert(options[0], value, key, source)
    if is_dataclass(kind) and isinstance(kind, type):
        return _convert_dataclass(kind, value, key, source)
    if origin is Literal:
        require_known(key, value, dict.fromkeys(get_args(kind)))
        return value
    if origin is tuple and isinstance(value, list | tuple):
        item = get_args(kind)[0]
        return tuple(convert(item, entry, key, source) for entry in value)
    if origin is not None and issubclass(origin, Mapping) and isinstance(value, dict):
        item = get_args(kind)[1]
        return {
            str(name): convert(item, entry, f"{key}.{printable(name)}", source)
            for name, entry in value.items()
        }
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if (
        origin is None
        and isinstance(value, kind)
        and not (kind is int and isinstance(value, bool))
    ):
        return value
    wanted = _IN_WORDS.get(
        origin or kind, "a list" if origin is tuple else "keys and values"
    )
    quotes = " In quotes it is text." if kind is str and _is_word(value) else ""
    raise ConfigError(
        f"{source}: {key} should be {wanted}, not {_shown(value)}.{quotes}"
    )


def _convert_dataclass(kind: type, value: Any, key: str, source: str) -> Any:
    if not isinstance(value, dict):
        raise ConfigError(
            f"{source}: {key} should hold keys and values, not {_shown(value)}."
        )
    hints = get_type_hints(kind)
    owners = _owners(kind, hints)
    prefix = f"{key}." if key else ""
    for name in value:
        if name not in owners:
            raise ConfigError(
                f"{source}: unknown key {prefix}{printable(name)}. "
                f"{nearest(str(name), list(owners))}"
            )
    beside = [entry.name for entry in fields(kind) if entry.metadata == BESIDE]
    own: dict[str, Any] = {name: {} for name in beside}
    for name, entry in value.items():
        if owners[name] == name:
            own[name] = entry
        else:
            own[owners[name]][name] = entry
    missing = [
        entry.name
        for entry in fields(kind)
        if _is_required(entry) and entry.name not in own
    ]
    if missing:
        raise ConfigError(
            f"{source}: {prefix}{missing[0]} is missing. A config of your own may say "
            "«base: 1pct» to take what it does not name."
        )
    return kind(
        **{
            name: convert(
                hints[name], entry, key if name in beside else f"{prefix}{name}", source
            )
            for name, entry in own.items()
        }
    )


def _owners(kind: type, hints: Mapping[str, Any]) -> dict[str, str]:
    """Returns the keys that a dataclass is given, each with the field it belongs to."""
    owners: dict[str, str] = {}
    for entry in fields(kind):
        beside = entry.metadata == BESIDE
        names = get_type_hints(hints[entry.name]) if beside else (entry.name,)
        owners |= dict.fromkeys(names, entry.name)
    return owners


def _is_required(entry: Field[Any]) -> bool:
    return entry.default is MISSING and entry.default_factory is MISSING


def require_known(what: str, value: Any, known: Mapping[str, Any]) -> None:
    """Raises ConfigError for an unknown word, with the nearest known one."""
    if not isinstance(value, str) or value not in known:
        raise ConfigError(
            f"Unknown {what} {printable(value)}. {nearest(str(value), list(known))}"
        )


def nearest(word: str, known: list[str]) -> str:
    """Returns a question that offers the nearest known word, or a list of all."""
    if not known:
        return "None is known."
    close = difflib.get_close_matches(word[:_LONGEST_WORD], known, n=1)
    if close:
        return f"Did you mean {close[0]}?"
    return f"Known are: {', '.join(sorted(known))}."


def _is_word(value: Any) -> bool:
    """Returns whether YAML makes such a value from a word without quotes."""
    return isinstance(value, bool | int | float)


def _shown(value: Any) -> str:
    return printable(repr(value))
