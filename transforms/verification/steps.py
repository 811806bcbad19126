"""CheckFiles, HashMembers and ConcludeSplits: compare a dataset with its documents."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import apache_beam as beam

from transforms import storage
from transforms.images import ImagePolicy
from transforms.planning import ShardSpec
from transforms.shards import ShardMeter, ShardProgress, meter_of
from transforms.verification.against_archives import (
    ArchivedImages,
    archives_label,
    hash_members,
)
from transforms.verification.conclusion import conclude_split, conclusion_uri
from transforms.verification.expectations import Expectations
from transforms.verification.files import FileCheck, check_file
from transforms.verification.inventory import (
    Holding,
    ImageCheck,
    ShardFile,
)


@dataclass
class CheckFiles(beam.PTransform):  # type: ignore[misc]
    """Rereads every file, spread over the workers.

    Attributes:
        images: How closely images are looked at.
        files: How far each file is at the beginning, by path.
        watched_at: Address that their progress is sent to; empty for none.
    """

    images: ImageCheck
    files: Mapping[str, ShardProgress] = field(default_factory=dict)
    watched_at: str = ""

    def expand(self, files: beam.PCollection[ShardFile]) -> beam.PCollection[FileCheck]:
        """Spreads the files and rereads each where it lands."""
        return (
            files | "SpreadFiles" >> beam.Reshuffle() | "Check" >> beam.Map(self._check)
        )

    def _check(self, file: ShardFile) -> FileCheck:
        begun = self.files.get(file.path)
        if begun is None:
            return check_file(file, self.images)
        meter = ShardMeter(self.watched_at, replace(begun))
        checked = check_file(file, self.images, meter)
        meter.publish(resumed=False)
        return checked


@dataclass
class HashMembers(beam.PTransform):  # type: ignore[misc]
    """Treats the members of archives again, spread over the workers.

    Attributes:
        config: The configuration's name.
        images: What is done to the images of each split.
        watched_at: Address that their progress is sent to; empty for none.
    """

    config: str
    images: Mapping[str, ImagePolicy]
    watched_at: str = ""

    def expand(
        self, specs: beam.PCollection[ShardSpec]
    ) -> beam.PCollection[ArchivedImages]:
        """Spreads the specs and reads each one's members where it lands."""
        return (
            specs
            | "Announce" >> beam.Map(self._announce)
            | "SpreadParts" >> beam.Reshuffle()
            | "Hash" >> beam.Map(self._hash)
        )

    def _announce(self, spec: ShardSpec) -> ShardSpec:
        if spec.index == 0:
            self._meter(spec)
        return spec

    def _hash(self, spec: ShardSpec) -> ArchivedImages:
        meter = self._meter(spec)
        images = hash_members(spec, self.config, self.images[spec.split], meter)
        meter.publish(resumed=False)
        return images

    def _meter(self, spec: ShardSpec) -> ShardMeter:
        return meter_of(spec, self.watched_at, archives_label(spec.split))


@dataclass
class ConcludeSplits(beam.PTransform):  # type: ignore[misc]
    """Gathers the results of a split's files, and writes the conclusion.

    Attributes:
        holdings: What the documents say.
        demands: What else records are compared with, by configuration.
        directory: Takes a document for each split.
    """

    holdings: Sequence[Holding]
    demands: Mapping[str, Expectations]
    directory: str

    def expand(
        self, found: beam.PCollection[FileCheck | ArchivedImages]
    ) -> beam.PCollection[str]:
        """Gathers each split on one worker; gives where its conclusion lies."""
        return (
            found
            | "KeyBySplit" >> beam.Map(self._key_by_split)
            | "GroupBySplit" >> beam.GroupByKey()
            | "Conclude" >> beam.Map(self._conclude)
        )

    def _key_by_split(
        self, item: FileCheck | ArchivedImages
    ) -> tuple[tuple[str, str], FileCheck | ArchivedImages]:
        place = item.file if isinstance(item, FileCheck) else item
        return (place.config, place.split), item

    def _conclude(
        self, group: tuple[tuple[str, str], Iterable[FileCheck | ArchivedImages]]
    ) -> str:
        (config, split), items = group[0], list(group[1])
        (holding,) = [h for h in self.holdings if h.config == config]
        conclusion = conclude_split(
            [held for held in holding.splits if held.name == split],
            [item for item in items if isinstance(item, FileCheck)],
            [item for item in items if isinstance(item, ArchivedImages)],
            holding.class_names,
            self.demands[config],
        )
        uri = conclusion_uri(self.directory, config, split)
        storage.publish_bytes(uri, json.dumps(asdict(conclusion)).encode())
        return uri
