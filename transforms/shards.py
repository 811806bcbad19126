"""Builds one shard from its spec: the unit of work, of publication and of retry.

The members are read by range in the order of the records, with the next few announced
to the storage, so that at most a handful of images are in memory. The file appears
under its name whole or not at all, and then its report appears, as the proof.
"""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Final

import apache_beam as beam
from apache_beam.metrics import Metrics

from transforms import storage
from transforms.errors import ImageError
from transforms.examples import Example
from transforms.formats import FORMATS, shard_name
from transforms.images import needed_repair, repair_image
from transforms.plan import ShardSpec

DATASET_INFO: Final = "dataset_info.json"  # a directory that has it is complete
REPORTS: Final = ".reports"  # directory of the reports, until the dataset is complete

_AHEAD: Final = 16  # members announced to the storage before they are read
_VERSION: Final = 1  # raise it when the same spec would give other bytes


@dataclass(frozen=True, slots=True)
class ShardOutput:
    """Where shards go and what they are.

    Attributes:
        dataset: The dataset's name, which begins every file name.
        directory: The dataset's directory.
        formats: Names of formats, keys of ``FORMATS``.
    """

    dataset: str
    directory: str
    formats: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShardReport:
    """What became of a shard.

    Attributes:
        split: The split it belongs to.
        index: Its position in the split.
        count: Number of shards of the split.
        examples: Number of its records.
        example_bytes: Sum of its serialised Examples' lengths.
        file_bytes: Length of its file in each format.
        repaired: Number of repaired images of each kind.
        fingerprint: Hash of all that its bytes depend on.
    """

    split: str
    index: int
    count: int
    examples: int
    example_bytes: int
    file_bytes: dict[str, int]
    repaired: dict[str, int]
    fingerprint: str


def build_shard(spec: ShardSpec, output: ShardOutput) -> ShardReport:
    """Writes a shard in every format, or finds that it was written before.

    Args:
        spec: What to write.
        output: Where and how.

    Raises:
        ImageError: An image that has to be repaired can't be decoded.
        StorageError: A member can't be read, or the shard can't be written.
    """
    fingerprint = shard_fingerprint(spec, output)
    finished = _finished_report(spec, output, fingerprint)
    if finished is not None:
        return finished
    storage.make_directory(storage.join(output.directory, REPORTS))
    # From here on a dataset that is being replaced is not complete.
    storage.remove(storage.join(output.directory, DATASET_INFO))
    repaired: Counter[str] = Counter()
    with ExitStack() as stack:
        files = {
            name: stack.enter_context(storage.publish(_shard_path(spec, output, name)))
            for name in output.formats
        }
        writers = [FORMATS[name].writer(file) for name, file in files.items()]
        examples = example_bytes = 0
        for example, repair in _read_examples(spec):
            sizes = [writer.write(example) for writer in writers]
            examples, example_bytes = examples + 1, example_bytes + sizes[0]
            if repair:
                repaired[repair] += 1
        for writer in writers:
            writer.close()
        file_bytes = {name: file.tell() for name, file in files.items()}
    report = ShardReport(
        spec.split,
        spec.index,
        spec.count,
        examples,
        example_bytes,
        file_bytes,
        dict(sorted(repaired.items())),
        fingerprint,
    )
    storage.publish_bytes(
        _report_path(spec, output), json.dumps(asdict(report), indent=2).encode()
    )
    return report


def shard_fingerprint(spec: ShardSpec, output: ShardOutput) -> str:
    """Returns a hash of everything that decides a shard's bytes."""
    facts = [
        _VERSION,
        output.dataset,
        output.formats,
        spec.split,
        spec.index,
        spec.count,
        [asdict(archive) for archive in spec.archives],
    ]
    digest = hashlib.sha256(json.dumps(facts).encode())
    for column in spec.members.columns:
        digest.update(json.dumps(column.to_pylist()).encode())
    return digest.hexdigest()


def _read_examples(spec: ShardSpec) -> Iterator[tuple[Example, str | None]]:
    """Yields the shard's records in order, each with what it was repaired for."""
    columns = spec.members.to_pydict()
    archives, names = columns["archive"], columns["name"]
    offsets, sizes, labels = columns["offset"], columns["size"], columns["label"]
    readers = [storage.open_reader(archive) for archive in spec.archives]
    try:
        for row in range(min(_AHEAD, len(names))):
            readers[archives[row]].prefetch(offsets[row], sizes[row])
        for row, name in enumerate(names):
            later = row + _AHEAD
            if later < len(names):
                readers[archives[later]].prefetch(offsets[later], sizes[later])
            data = readers[archives[row]].read(offsets[row], sizes[row])
            repair = needed_repair(data)
            if repair:
                try:
                    data = repair_image(data, repair)
                except ImageError as error:
                    raise ImageError(
                        f"{name}, at byte {offsets[row]:,} of "
                        f"{spec.archives[archives[row]].uri}: {error}. It is a "
                        f"{repair.upper()} file and would have been converted; replace "
                        "it in the archive."
                    ) from error
            yield Example(name, data, labels[row]), repair
    finally:
        for reader in readers:
            reader.close()


def _finished_report(
    spec: ShardSpec, output: ShardOutput, fingerprint: str
) -> ShardReport | None:
    """Returns the report of an earlier run if it proves the shard is there, whole."""
    path = _report_path(spec, output)
    if not storage.exists(path):
        return None
    try:
        report = ShardReport(**json.loads(storage.read_bytes(path)))
    except (ValueError, TypeError):
        return None
    if report.fingerprint != fingerprint:
        return None
    for name, size in report.file_bytes.items():
        shard = _shard_path(spec, output, name)
        if not storage.exists(shard) or storage.file_info(shard).size != size:
            return None
    return report


def _shard_path(spec: ShardSpec, output: ShardOutput, format_name: str) -> str:
    name = shard_name(output.dataset, spec.split, format_name, spec.index, spec.count)
    return storage.join(output.directory, name)


def _report_path(spec: ShardSpec, output: ShardOutput) -> str:
    name = f"{spec.split}-{spec.index:05d}-of-{spec.count:05d}.json"
    return storage.join(output.directory, REPORTS, name)


@dataclass
class BuildShards(beam.PTransform):  # type: ignore[misc]
    """Builds every shard, spread over the workers.

    Attributes:
        output: Where shards go and what they are.
    """

    output: ShardOutput

    def expand(
        self, specs: beam.PCollection[ShardSpec]
    ) -> beam.PCollection[ShardReport]:
        """Spreads specs, which are small, and builds each where it lands."""
        return (
            specs
            | "SpreadShards" >> beam.Reshuffle()
            | "Build" >> beam.Map(self._build)
        )

    def _build(self, spec: ShardSpec) -> ShardReport:
        start = time.monotonic()
        report = build_shard(spec, self.output)
        elapsed = time.monotonic() - start
        Metrics.counter(spec.split, "worker_ms").inc(round(elapsed * 1000))
        for kind, number in report.repaired.items():
            Metrics.counter(spec.split, f"repaired_{kind}").inc(number)
        return report
