"""The part of Thrift's compact protocol that Parquet is described in.

A struct is a run of fields, each with its number and type, up to a stop byte. Its bytes
do not say which names the numbers have; the caller knows.

Format: the Thrift project's ``doc/specs/thrift-compact-protocol.md``.
"""

from typing import Final

# A struct by field number. A value is a bool, int, bytes, a list or another struct.
Fields = dict[int, object]

_STOP: Final = 0
_TRUE: Final = 1
_FALSE: Final = 2
_BYTE: Final = 3
_INTEGERS: Final = frozenset((4, 5, 6))  # of 16, 32 and 64 bits, all zigzag varints
_DOUBLE: Final = 7
_BINARY: Final = 8
_LISTS: Final = frozenset((9, 10))  # a set is written as a list is
_MAP: Final = 11
_STRUCT: Final = 12

_DEEPEST: Final = 16  # structs and lists within each other; Parquet has eight
_LONGEST_VARINT: Final = 10  # bytes of 64 bits


class Incomplete(Exception):  # noqa: N818 - more bytes may mend it
    """The bytes end before the struct does."""


def read_struct(data: bytes) -> tuple[Fields, int]:
    """Returns the struct that bytes begin with, and its length in bytes.

    Raises:
        Incomplete: The bytes end before it does.
        ValueError: They are no struct.
    """
    reader = _Reader(data)
    try:
        fields = reader.struct(0)
    except IndexError:
        raise Incomplete from None
    return fields, reader.at


def number(fields: Fields, field: int) -> int:
    """Returns a field that has to be there, and is a count; ValueError if it is not."""
    value = fields.get(field)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("a number is missing")
    if value < 0:
        raise ValueError(f"{value:,} stands for a size or number")
    return value


def text(fields: Fields, field: int) -> str:
    """Returns a field that has to be there, and is a text; ValueError if it is not."""
    value = fields.get(field)
    if not isinstance(value, bytes):
        raise ValueError("a text is missing")
    return value.decode("utf-8", "backslashreplace")


def struct(fields: Fields, field: int) -> Fields:
    """Returns a field that has to be there, and is a struct; else ValueError."""
    value = fields.get(field)
    if not isinstance(value, dict):
        raise ValueError("a part is missing")
    return value


def structs(fields: Fields, field: int) -> list[Fields]:
    """Returns a field that has to be there, and is a list of structs."""
    value = fields.get(field)
    if not isinstance(value, list):
        raise ValueError("a list is missing")
    found = [each for each in value if isinstance(each, dict)]
    if len(found) < len(value):
        raise ValueError("a list is of another kind")
    return found


class _Reader:
    """Reads values one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def struct(self, depth: int) -> Fields:
        fields: Fields = {}
        number = 0
        while head := self._byte():
            step, kind = head >> 4, head & 15
            number = number + step if step else self._integer()
            if number in fields:
                raise ValueError(f"two fields have the number {number}")
            if kind in (_TRUE, _FALSE):
                fields[number] = kind == _TRUE
            else:
                fields[number] = self._value(kind, depth + 1)
        return fields

    def _value(self, kind: int, depth: int) -> object:
        if depth > _DEEPEST:
            raise ValueError("it is nested too deeply")
        if kind in _INTEGERS:
            return self._integer()
        if kind == _BINARY:
            return self._take(self._varint())
        if kind == _STRUCT:
            return self.struct(depth)
        if kind in _LISTS:
            return self._list(depth)
        if kind in (_TRUE, _FALSE, _BYTE):  # in a list, a bool is a byte
            return self._byte()
        if kind == _DOUBLE:
            return self._take(8)
        if kind == _MAP:
            raise ValueError("it has a map, which Parquet has none of")
        raise ValueError(f"it has a value of the unknown type {kind}")

    def _list(self, depth: int) -> list[object]:
        head = self._byte()
        length, kind = head >> 4, head & 15
        if length == 15:
            length = self._varint()
        # Each value takes a byte or more, so a false length ends soon.
        return [self._value(kind, depth + 1) for _ in range(length)]

    def _integer(self) -> int:
        number = self._varint()
        return (number >> 1) ^ -(number & 1)

    def _varint(self) -> int:
        number = 0
        for place in range(_LONGEST_VARINT):
            byte = self._byte()
            number |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:
                return number
        raise ValueError("it has a number of more than 64 bits")

    def _byte(self) -> int:
        byte = self._data[self.at]
        self.at += 1
        return byte

    def _take(self, length: int) -> bytes:
        taken = self._data[self.at : self.at + length]
        if len(taken) < length:
            raise Incomplete
        self.at += length
        return taken
