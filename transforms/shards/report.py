"""The report of a shard, and how it is stored until all shards are there.

A stored report has the version of its format, the kinds of its statistics, and its own
hash. Where one of these differs, the report is not used and its shard is built again.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Final

from transforms.archives import Archive
from transforms.formats import FileFacts, Source, SplitCounts, read_older_digest
from transforms.shards.members import Rejected
from transforms.statistics import Statistics, from_json, to_json
from transforms.storage import FileInfo

FORMAT: Final = 3  # raise it when a stored report gets or loses a field


@dataclass(frozen=True, slots=True)
class ShardReport:
    """The result of building a shard.

    Attributes:
        split: The split it belongs to.
        index: Its position in the split.
        count: Number of shards of the split.
        wanted: Number of its members.
        archives: What they lie in.
        files: Its files in order, by format.
        statistics: What was counted of the images that were written.
        rejected: The images that were not, in order.
        counts: How its split came to its number of examples.
    """

    split: str
    index: int
    count: int
    wanted: int
    archives: tuple[Archive, ...]
    files: Mapping[str, tuple[FileFacts, ...]]
    statistics: Statistics
    rejected: tuple[Rejected, ...]
    counts: SplitCounts = field(default_factory=SplitCounts)


def encode_report(
    report: ShardReport, fingerprint: str, published: Sequence[FileInfo]
) -> bytes:
    """Returns a report as it is stored.

    Args:
        report: The report.
        fingerprint: A hash of what its bytes depend on.
        published: The state of its files just after they were published.
    """
    document = {each.name: getattr(report, each.name) for each in fields(report)}
    document["statistics"] = to_json(report.statistics)
    proof = {"format": FORMAT, "fingerprint": fingerprint, "published": published}
    text = json.dumps(proof | document, default=asdict)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f'{{"sha256": "{digest}", {text.removeprefix("{")}'.encode()


def decode_report(
    data: bytes, fingerprint: str
) -> tuple[ShardReport, list[FileInfo]] | None:
    """Returns a stored report, and the state of its files just after publication.

    None where the report is damaged, has another format version, other statistics or
    another fingerprint.
    """
    try:
        found = json.loads(data)
        digest = found.pop("sha256")
        if digest != hashlib.sha256(json.dumps(found).encode()).hexdigest():
            return None
        if (found.pop("format"), found.pop("fingerprint")) != (FORMAT, fingerprint):
            return None
        published = [FileInfo(**file) for file in found.pop("published")]
        found["archives"] = tuple(
            Archive(**archive | {"file": FileInfo(**archive["file"])})
            for archive in found["archives"]
        )
        found["files"] = {
            name: tuple(FileFacts(**read_older_digest(file)) for file in files)
            for name, files in found["files"].items()
        }
        found["counts"] = SplitCounts(**found["counts"])
        found["statistics"] = from_json(found["statistics"])
        found["rejected"] = tuple(
            Rejected(Source(**each.pop("source")), **each) for each in found["rejected"]
        )
        return ShardReport(**found), published
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


VERSION: Final = 7  # raise it when the same spec would give other bytes
