"""What other readers make of bytes: the tar walk and Examples are held against them.

The standard library and protobuf are all that is needed here, so that the fuzzer, which
has an environment of its own, shares these checks with the tests.
"""

import io
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from transforms.archives.tar.header import Range
from transforms.archives.tar.links import follow_links
from transforms.archives.tar.members import TarMember
from transforms.archives.tar.walk import TarWalk, walk_tars
from transforms.errors import FormatError
from transforms.formats.records import Example
from transforms.formats.tf_example import decode_example, encode_example


def walk(data: bytes, start: int = 0) -> list[TarMember]:
    """Returns the members that the walk finds, having seen that it stays within."""
    return walk_whole(data, start).members


def walk_whole(data: bytes, start: int = 0) -> TarWalk:
    """Returns the members and the end, having seen that the walk stays within."""

    def read_many(ranges: Sequence[Range]) -> list[bytes]:
        for offset, size in ranges:
            assert start <= offset <= offset + size <= len(data)
        return [data[offset : offset + size] for offset, size in ranges]

    (found,) = walk_tars(read_many, [(start, len(data) - start)])
    return found


def kind_of(info: tarfile.TarInfo) -> str:
    if info.isfile():
        return "file"
    if info.isdir():
        return "directory"
    if info.issym():
        return "symbolic link"
    return "hard link" if info.islnk() else "special"


def members_of_tarfile(data: bytes) -> list[TarMember]:
    """Returns what ``tarfile`` lists, up to the first header that it refuses.

    Of a directory or link it keeps a size that it takes no notice of.
    """
    found = []
    with (
        suppress(tarfile.ReadError),
        tarfile.open(fileobj=io.BytesIO(data), mode="r:", encoding="utf-8") as tar,
    ):
        for info in tar:
            kind = kind_of(info)
            found.append(
                TarMember(
                    _text(info.name),
                    info.offset_data,
                    info.size if kind == "file" else 0,
                    kind,
                    _text(info.linkname) if kind.endswith("link") else "",
                )
            )
    return found


def _text(name: str) -> str:
    """Returns a name of ``tarfile``'s as the walk has it, whatever its bytes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def check_walk(data: bytes) -> list[TarMember]:
    """Walks a tar and asserts all that must hold of any that is accepted.

    Raises:
        TarFormatError: The walk refuses it, which it may.
    """
    members = walk(data)
    end = 0
    for member in members:  # one behind the other, within the archive
        assert end + tarfile.BLOCKSIZE <= member.offset
        end = member.offset + member.size
        assert member.size >= 0 <= len(data) - end
    assert not any(data[_padded(end) :])  # nothing is left out
    listed = members_of_tarfile(data)
    assert len(listed) <= len(members)
    for ours, theirs in zip(members, listed, strict=False):
        assert theirs.name.rstrip("/") in _names_in_tarfile(ours, data)
        assert theirs._replace(name="") == ours._replace(name="")
    if len(listed) < len(members):
        # tarfile wants fields to be numbers, those too that place nothing.
        before = members[: len(listed)][-1:]
        start = _padded(before[0].offset + before[0].size) if before else 0
        headers = _headers(data, start, members[len(listed)].offset)
        assert any(map(_has_odd_field, headers))
    return members


def check_links(data: bytes) -> None:
    """Walks a tar and asserts that links have the bytes that ``tarfile`` gives.

    A link may be refused that it follows: out of the tar, from a hard link to a
    symbolic one of another directory, and to no name at all. A folder does not.

    Raises:
        TarFormatError: The walk refuses the tar, which it may.
    """
    members = walk(data)
    leads = follow_links(members)
    if not leads or members != members_of_tarfile(data):
        return  # there are names that it has otherwise
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:", encoding="utf-8") as tar:
        for position, info in enumerate(tar.getmembers()):
            if position not in leads:
                assert not info.issym()
                assert not info.islnk()
                continue
            lead = leads[position]
            try:
                file = tar.extractfile(info)
                theirs = file.read() if file else None
            except (KeyError, RecursionError):  # nowhere, in a circle
                theirs = None
            if lead.member is None:
                assert (
                    theirs is None
                    or not info.linkname
                    or lead.fault
                    in (
                        "which lies outside of the tar",
                        "which is a symbolic link of another directory",
                    )
                )
            elif lead.member.kind == "file":
                start = lead.member.offset
                assert data[start : start + lead.member.size] == theirs
            else:
                assert not theirs


def _headers(data: bytes, start: int, end: int) -> Iterator[bytes]:
    """Yields a member's headers: extended ones, and last its own."""
    while start < end:
        header = data[start : start + tarfile.BLOCKSIZE]
        yield header
        size = tarfile.nti(header[124:136])  # type: ignore[attr-defined]
        start += tarfile.BLOCKSIZE + _padded(size)


def _padded(size: int) -> int:
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def _header_of(member: TarMember, data: bytes) -> bytes:
    return data[member.offset - tarfile.BLOCKSIZE : member.offset]


def _names_in_tarfile(member: TarMember, data: bytes) -> set[str]:
    """Returns what ``tarfile`` may call a member, without a slash at its end.

    It prefixes names with the times that GNU's headers have where those of POSIX have
    a prefix; GNU tar and Go do not.
    """
    header = _header_of(member, data)
    names = {member.name.rstrip("/")}
    if header[257:265] == b"ustar  \0":
        with suppress(tarfile.HeaderError):
            for start in (345, 357):
                tarfile.nti(header[start : start + 12])  # type: ignore[attr-defined]
            times = (
                header[345:500].partition(b"\0")[0].decode("utf-8", "backslashreplace")
            )
            names.add(f"{times}/{member.name}".rstrip("/"))
    return names


def _has_odd_field(header: bytes) -> bool:
    for start, end in (
        *((100, 108), (108, 116), (116, 124)),  # mode, owner, group
        *((136, 148), (329, 337), (337, 345)),  # time, device
    ):
        try:
            tarfile.nti(header[start:end])  # type: ignore[attr-defined]
        except tarfile.HeaderError:
            return True
    return False


# --- tf.train.Example, as protobuf reads it -------------------------------------------


@cache
def _example_class() -> Any:
    """Builds the messages of tensorflow's ``example.proto`` and ``feature.proto``."""
    file = descriptor_pb2.FileDescriptorProto(
        name="example.proto", package="oracle", syntax="proto3"
    )
    optional = descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
    repeated = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
    message = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
    types = {
        "BytesList": descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
        "FloatList": descriptor_pb2.FieldDescriptorProto.TYPE_FLOAT,
        "Int64List": descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
    }
    for name, kind in types.items():
        values = file.message_type.add(name=name)
        values.field.add(name="value", number=1, label=repeated, type=kind)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, name in enumerate(types, 1):
        feature.field.add(
            name=name.lower(),
            number=number,
            label=optional,
            type=message,
            type_name=f".oracle.{name}",
            oneof_index=0,
        )
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(
        name="key",
        number=1,
        label=optional,
        type=descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    )
    entry.field.add(
        name="value",
        number=2,
        label=optional,
        type=message,
        type_name=".oracle.Feature",
    )
    features.field.add(
        name="feature",
        number=1,
        label=repeated,
        type=message,
        type_name=".oracle.Features.FeatureEntry",
    )
    example = file.message_type.add(name="Example")
    example.field.add(
        name="features",
        number=1,
        label=optional,
        type=message,
        type_name=".oracle.Features",
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("oracle.Example"))


def encode_with_protobuf(example: Example) -> bytes:
    """Returns what protobuf serialises for an Example, in the order of its map."""
    message = _example_class()()
    feature = message.features.feature
    feature["file_name"].byteslist.value.append(example.file_name.encode())
    feature["image"].byteslist.value.append(example.image)
    feature["label"].int64list.value.append(example.label)
    encoded: bytes = message.SerializeToString(deterministic=True)
    return encoded


def decode_with_protobuf(record: bytes) -> dict[str, list[Any]] | None:
    """Returns the values of each feature, or None where protobuf refuses the bytes."""
    message = _example_class()()
    try:
        message.ParseFromString(record)
    except DecodeError:
        return None
    return {
        key: list(getattr(feature, feature.WhichOneof("kind") or "byteslist").value)
        for key, feature in message.features.feature.items()
    }


def check_example(record: bytes) -> Example | None:
    """Decodes a record as protobuf does, or refuses it, and asserts that it is so."""
    try:
        example = decode_example(record)
    except FormatError:
        return None
    assert decode_with_protobuf(record) == {
        "file_name": [example.file_name.encode()],
        "image": [example.image],
        "label": [example.label],
    }
    encoded = b"".join(encode_example(example))
    assert encoded == encode_with_protobuf(example)
    assert decode_example(encoded) == example
    return example
