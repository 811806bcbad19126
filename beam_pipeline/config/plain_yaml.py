"""YAML as far as a config needs it: text, numbers, lists and mappings, written out.

A config may come from anywhere. So there are no tags, which could ask for objects, and
no aliases, by which a few lines become gigabytes; nesting and numbers have bounds; and
a key may occur once, where PyYAML would silently take the last.

Words without quotes are read by the core schema of YAML 1.2 (section 10.3 of
https://yaml.org/spec/1.2.2/), not by YAML 1.1 as PyYAML does, where 0224 is 148, 1:30
is 90, and ``on`` is true. So ``yes``, ``on``, 1_000, 4:4:4 and dates are text. Keys are
text whatever they are.
"""

import re
from pathlib import Path
from typing import Any, Final

import yaml

from transforms.errors import ConfigError, printable

_DEEPEST: Final = 20
_LONGEST: Final = 1 << 20  # characters; the longest config that is shipped has 6,000

# What is raised besides PyYAML's own errors, for numbers that are too long.
_ERRORS: Final = (yaml.YAMLError, ValueError)

_TAG: Final = "tag:yaml.org,2002:"
_NULL: Final = re.compile(r"(?:null|Null|NULL|~|)\Z")
_BOOL: Final = re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")
_INT: Final = re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z")
_FLOAT: Final = re.compile(
    r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
)
# The kinds in the order they are tried.
_KINDS: Final = {"null": _NULL, "bool": _BOOL, "int": _INT, "float": _FLOAT}


class _PlainLoader(yaml.SafeLoader):
    """Refuses what goes beyond plain values."""

    # None: whatever character a word begins with.
    yaml_implicit_resolvers = {  # noqa: RUF012
        None: [(f"{_TAG}{kind}", pattern) for kind, pattern in _KINDS.items()]
    }
    _depth = 0

    def compose_node(
        self, parent: yaml.nodes.Node | None, index: int
    ) -> yaml.nodes.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            raise _refusal(event, f"write out what *{event.anchor} stands for")
        if event.tag is not None:
            raise _refusal(event, f"the tag {event.tag} is not supported")
        if self._depth == _DEEPEST:
            raise _refusal(event, f"it is nested deeper than {_DEEPEST} times")
        self._depth += 1
        node: yaml.nodes.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        if isinstance(node, yaml.MappingNode):
            _read_keys(node)
        return node

    def construct_yaml_int(self, node: yaml.nodes.ScalarNode) -> int:
        base = {"0o": 8, "0x": 16}.get(node.value[:2], 10)
        value = int(node.value, base)
        if value.bit_length() > 63:
            raise _refusal(node, "a number has more than 64 bits")
        return value

    def construct_yaml_float(self, node: yaml.nodes.ScalarNode) -> float:
        return float(node.value.lower().replace(".inf", "inf").replace(".nan", "nan"))


_PlainLoader.add_constructor(f"{_TAG}int", _PlainLoader.construct_yaml_int)
_PlainLoader.add_constructor(f"{_TAG}float", _PlainLoader.construct_yaml_float)


def read_mapping(path: Path) -> dict[str, Any]:
    """Returns what a config file holds, without the byte order mark it may begin with.

    Raises:
        ConfigError: It can't be read, or is no mapping of plain values.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(_LONGEST + 1)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no YAML: {error}") from error
    except OSError as error:
        raise ConfigError(f"Can't read {path}: {error.strerror}.") from error
    mapping = read_yaml(text, str(path))
    if not isinstance(mapping, dict):
        raise ConfigError(f"{path} should hold keys and values at its top.")
    return mapping


def read_yaml(text: str, subject: str) -> Any:
    """Returns the value that a YAML document stands for.

    Args:
        text: The document.
        subject: What it is, for messages.

    Raises:
        ConfigError: It is malformed or more than plain values.
    """
    if len(text) > _LONGEST:
        raise ConfigError(f"{subject} has more than {_LONGEST:,} characters.")
    try:
        return yaml.load(text, _PlainLoader)
    except _ERRORS as error:
        reason = "\n".join(map(printable, str(error).splitlines()))
        raise ConfigError(f"{subject} is no YAML: {reason}") from error


def _read_keys(node: yaml.nodes.MappingNode) -> None:
    """Takes a mapping's keys for text, each of which may occur once."""
    seen = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in seen:
                raise _refusal(key, f"the key {key.value} occurs twice")
            seen.add(key.value)
            key.tag = f"{_TAG}str"


def _refusal(place: Any, reason: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=reason, problem_mark=place.start_mark)
