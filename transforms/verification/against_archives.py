"""Compares a dataset with its archives.

Their images go through the same treatment again, and every record is compared with them
by name: each has the image that the archives give it, none is missing, and none is
there that the archives do not have.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.errors import require_whole
from transforms.formats import Source
from transforms.images import ImagePolicy
from transforms.planning import ShardSpec, order_keys
from transforms.shards import Accepted, ShardMeter, treated_members
from transforms.statistics import content_hash
from transforms.verification.expectations import ExpectedLabels
from transforms.verification.files import names_records
from transforms.verification.findings import FindingsBuilder
from transforms.verification.splits import SplitCheck, look_up

ARCHIVED: Final = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("label", pa.int64(), nullable=False),
        pa.field("image_bytes", pa.int64()),  # as written; null where it is rejected
        pa.field("digest", pa.binary(16)),  # as written; null where it is rejected
        pa.field("archive", pa.dictionary(pa.int32(), pa.string())),  # its URI
        pa.field("offset", pa.int64(), nullable=False),  # of the bytes
        pa.field("file", pa.string(), nullable=False),  # in a folder; else empty
    ]
)


@dataclass(frozen=True, slots=True)
class ArchivedImages:
    """A part of a split's images, as the archives give them.

    Attributes:
        config: The configuration's name.
        split: The split.
        index: Position of the part.
        count: Number of the split's parts.
        images: Rows of ``ARCHIVED``.
    """

    config: str
    split: str
    index: int
    count: int
    images: pa.Table


def archives_label(split: str) -> str:
    """Returns what the reading of a split's archives is called."""
    return f"{split} in the archives"


def hash_members(
    spec: ShardSpec,
    config: str,
    policy: ImagePolicy,
    meter: ShardMeter | None = None,
) -> ArchivedImages:
    """Returns what a part of a split's members come to when they are treated.

    Args:
        spec: The members.
        config: The configuration's name.
        policy: What is done to their images.
        meter: Counts them, for whoever watches.

    Raises:
        StorageError: A member cannot be read.
    """
    rows: list[tuple[Source, int | None, bytes | None]] = []
    members = treated_members(spec, policy, with_pixels=False)
    sizes = spec.members["size"].to_pylist()
    for member, stored in zip(members, sizes, strict=True):
        if meter is not None:
            meter.count(stored, rejected=not isinstance(member, Accepted))
        if isinstance(member, Accepted):
            source, image = member.observation.source, member.example.image
            rows.append((source, len(image), content_hash(image)))
        else:
            rows.append((member.source, None, None))
    columns = {
        "name": [source.name for source, _, _ in rows],
        "label": [source.label for source, _, _ in rows],
        "image_bytes": [size for _, size, _ in rows],
        "digest": pa.array([digest for _, _, digest in rows], pa.binary(16)),
        "archive": pa.array(
            [source.archive for source, _, _ in rows], pa.string()
        ).dictionary_encode(),
        "offset": [source.offset for source, _, _ in rows],
        "file": [source.file for source, _, _ in rows],
    }
    return ArchivedImages(
        config, spec.split, spec.index, spec.count, pa.table(columns, ARCHIVED)
    )


def join_images(split: str, parts: Sequence[ArchivedImages]) -> pa.Table:
    """Returns all images that the archives have for a split.

    Args:
        split: The split.
        parts: All its parts, in any order.

    Raises:
        BuildError: An engine lost or repeated one.
    """
    indices = sorted(part.index for part in parts)
    require_whole(
        bool(parts) and indices == list(range(parts[0].count)),
        f"Of the {split} split's parts in the archives {indices} arrived.",
    )
    ordered = sorted(parts, key=lambda part: part.index)
    return pa.concat_tables(part.images for part in ordered)


def name_records(checked: SplitCheck, images: pa.Table) -> SplitCheck:
    """Returns records with the names of the archives' images at their places.

    Where records say their names, or there is another number of them, they stay as
    they are.

    Args:
        checked: The records.
        images: Rows of ``ARCHIVED``, in the order that records should have.
    """
    rows, files = checked.rows, checked.split.files
    kept = images.filter(images["digest"].is_valid())
    if all(map(names_records, files)) or rows.num_rows != kept.num_rows:
        return checked
    place = rows.schema.get_field_index("name")
    return replace(checked, rows=rows.set_column(place, "name", kept["name"]))


def archived_labels(names: pa.ChunkedArray, images: pa.Table) -> ExpectedLabels:
    """Returns the labels that the archives give to records.

    Args:
        names: Their file names.
        images: Rows of ``ARCHIVED``.
    """
    labels = look_up(names, images["name"], images["label"])
    return ExpectedLabels(labels, "the archives")


def check_archived(
    checked: SplitCheck,
    images: pa.Table,
    listed: frozenset[str],
    findings: FindingsBuilder,
) -> None:
    """Compares every record with the archives' image of its name.

    Args:
        checked: The records.
        images: Rows of ``ARCHIVED``: all that the split should have, and those that
            should have been left out.
        listed: Names that the split should have, wherever they are; may be empty.
        findings: Takes the problems.
    """
    split = checked.split
    names = checked.rows["name"].combine_chunks()
    rows = pc.index_in(names, value_set=images["name"].combine_chunks())
    alike = pc.equal(
        images["digest"].combine_chunks().take(rows),
        checked.rows["digest"].combine_chunks(),
    ).fill_null(False)
    for row in np.flatnonzero(~alike.to_numpy(zero_copy_only=False)).tolist():
        name, place = names[row].as_py(), rows[row].as_py()
        policy = split.files[0].images.policy
        if place is None:
            message = f"{name} is none of the images that the archives have for it."
        elif (size := images["image_bytes"][place].as_py()) is None:
            message = (
                f"{name} is here, and should have been left out: images.policy="
                f"{policy} rejects {_place(images, place)}."
            )
        else:
            found = checked.rows["image_bytes"][row].as_py()
            message = (
                f"The image of {name} is not what images.policy={policy} makes of "
                f"{_place(images, place)}: it has {found:,} bytes, expected {size:,}"
                f"{' others' if size == found else ''}."
            )
        checked.report(findings, row, "archive", message)
    if not checked.whole:
        return  # what can't be read is reported already, and is not missing
    here = pc.is_in(images["name"].combine_chunks(), value_set=names)
    lacking = pc.and_(images["digest"].is_valid(), pc.invert(here))
    for place in np.flatnonzero(lacking.to_numpy()).tolist():
        name = images["name"][place].as_py()
        message = f"{name} is missing, {_place(images, place)}."
        findings.add(_file_of(checked, name), "archive", message)
    known = {*images["name"].to_pylist(), *names.to_pylist()}
    for name in sorted(listed - known):
        message = f"{name} is missing, from the archives too, and the list names it."
        findings.add(_file_of(checked, name), "archive", message)


def _place(images: pa.Table, row: int) -> str:
    place = images.select(["archive", "file", "offset"]).slice(row, 1).to_pylist()[0]
    path = f"{place['archive']}/{place['file']}".removesuffix("/")
    return f"the image at byte {place['offset']:,} of {path}"


def _file_of(checked: SplitCheck, name: str) -> str:
    """Returns the path of the file that a record would be in."""
    rows = checked.rows
    starts = np.flatnonzero(np.diff(rows["file"].to_numpy(), prepend=-1))
    split, order = checked.split.name, checked.split.schema.order
    firsts = order_keys(rows["name"].take(starts).to_pylist(), split, order)
    (key,) = order_keys([name], split, order).to_pylist()
    place = max(bisect_right(firsts.to_pylist(), key) - 1, 0)
    file = rows["file"][int(starts[place])].as_py() if len(starts) else 0
    return checked.split.files[file].path
