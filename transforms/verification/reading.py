"""What a directory says it holds, and whether its documents agree with each other.

A user names the directory of a version as TFDS has it, the folder of a configuration as
the hub has it, or a hub folder with all its configurations. Every other document is
compared with ``manifest.json``. A directory that TFDS built has no manifest: there
``dataset_info.json`` takes its place, which has no hashes.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from transforms import storage
from transforms.documents import Manifest, decode_manifest, split_documents
from transforms.errors import StorageError
from transforms.formats import FORMATS, MANIFEST, MARKS, ConfigFacts, Layout, Schema
from transforms.images import ImagePolicy
from transforms.verification.agreement import (
    LABELS,
    check_features,
    check_hashes,
    check_hub_folder,
    check_shared_hashes,
    read_neighbours,
    read_schema,
)
from transforms.verification.directory import README, STATISTICS, Documents, differences
from transforms.verification.findings import FindingsBuilder
from transforms.verification.inventory import HeldSplit, Holding, Inventory, ShardFile

_INFO: Final = MARKS["tfds"]


def take_inventory(directory: str) -> Inventory:
    """Reads a directory's documents.

    Args:
        directory: Of a version as TFDS has it, of a configuration as the hub has it,
            or the hub's folder.

    Raises:
        StorageError: It is a file or empty, nothing in it is complete, or it cannot be
            listed.
    """
    if storage.exists(directory):
        raise StorageError(
            f"{directory} is a file. Name the directory of a version, such as "
            "imagenet2012_subset/1pct/5.0.0, or a folder for the hub."
        )
    findings = FindingsBuilder()
    here = Documents(directory, "", findings)
    if not here.names:
        raise StorageError(
            f"There is nothing to verify: {directory} does not exist or is empty. Name "
            "the directory of a version, such as imagenet2012_subset/1pct/5.0.0, or a "
            "folder for the hub."
        )
    if _INFO in here.names:
        holdings = [_take_tfds(here)]
    elif MANIFEST in here.names:
        above = Documents(directory.rstrip("/").rpartition("/")[0], "../", findings)
        holdings = _take_hub(above if README in above.names else None, [here])
    else:
        below = [
            Documents(storage.join(directory, name), f"{name}/", findings)
            for name in sorted(here.names)
            if storage.exists(storage.join(directory, name, MANIFEST))
        ]
        if not below:
            raise StorageError(
                f"{directory} is not complete: it has no {_INFO} and no {MANIFEST}, "
                "and neither has a folder in it. Name the directory of a version, such "
                "as imagenet2012_subset/1pct/5.0.0, or a folder for the hub. A build "
                "that ended early goes on when it is started again."
            )
        holdings = _take_hub(here, below)
    return Inventory(
        tuple(holding for holding in holdings if holding), findings.result()
    )


def _take_tfds(here: Documents) -> Holding | None:
    """Returns what a directory of TFDS's holds, if one of its documents says so."""
    manifest = None
    if MANIFEST in here.names:
        manifest = _read_manifest(here, "tfds")
    info = here.read_json(_INFO)
    if manifest is None:
        return _take_unhashed(here, info) if info is not None else None
    by_format = {
        name: split_documents(splits) for name, splits in manifest.formats.items()
    }
    main, *others = by_format
    for name in others:
        for difference in differences(by_format[main], by_format[name], "splits"):
            here.add(MANIFEST, f"{main} and {name} differ in {difference}.")
    if info is not None:
        expected = {
            "name": manifest.dataset,
            "configName": manifest.config or None,
            "version": manifest.version,
            "fileFormat": main,
            "alternativeFileFormats": others or None,
            "splits": by_format[main],
        }
        here.compare(_INFO, expected, info)
    for feature in manifest.schema.labelled:
        name = f"{feature.name}{LABELS}"
        if (labels := here.read_text(name)) is not None:
            here.compare(name, manifest.class_names, labels.splitlines())
    check_features(here, manifest.schema)
    here.check_page("card.html")
    holding = _hold(here, manifest)
    check_hashes(here, manifest)
    return holding


def _take_hub(
    root: Documents | None, folders: Sequence[Documents]
) -> list[Holding | None]:
    """Returns what the folders of configurations hold, as far as their manifests say.

    Args:
        root: The folder they are in; None to leave its documents alone.
        folders: Of the configurations.
    """
    holdings: list[Holding | None] = []
    by_format: dict[str, dict[str, ConfigFacts]] = {}
    class_names: tuple[str, ...] = ()
    manifests: list[Manifest | None] = []
    for here in folders:
        manifest = _read_manifest(here, "hub")
        manifests.append(manifest)
        if manifest is None:
            holdings.append(None)
            continue
        class_names = manifest.class_names
        (format_name,) = manifest.formats
        facts = manifest.config_facts(format_name)
        by_format.setdefault(format_name, {})[facts.name] = facts
        if companions := FORMATS[format_name].companions:
            for name, expected in companions(manifest.dataset, facts, ()).items():
                if (found := here.read_json(name)) is not None:
                    here.compare(name, expected, found)
        if "figure.png" in here.names:
            here.check_figure("figure.png")
        holdings.append(_hold(here, manifest))
        check_hashes(here, manifest)
    if root is not None:
        neighbours = read_neighbours(root, {here.directory for here in folders})
        manifests += neighbours
        known = [manifest for manifest in manifests if manifest]
        for name, configs in by_format.items():
            configs |= {
                facts.name: facts
                for each in neighbours
                if each and name in each.formats
                for facts in [each.config_facts(name)]
            }
            kind = FORMATS[name]
            check_hub_folder(root, configs, class_names, kind.pattern, kind.typed)
        if len(known) == len(manifests):  # else what the last build wrote is not known
            check_shared_hashes(root, known)
    return holdings


def _read_manifest(here: Documents, layout: Layout) -> Manifest | None:
    """Returns the manifest, if it is one and makes sense.

    Args:
        here: The directory, which has one.
        layout: What kind of directory it is.
    """
    data = here.read(MANIFEST)
    if data is None:
        return None
    try:
        manifest = decode_manifest(data, storage.join(here.directory, MANIFEST))
    except StorageError as error:
        here.add(MANIFEST, str(error))
        return None
    known = {name for name, kind in FORMATS.items() if kind.layout == layout}
    most = len(known) if layout == "tfds" else 1
    if not 0 < len(manifest.formats) <= most or not manifest.formats.keys() <= known:
        here.add(
            MANIFEST,
            f"It lists [{', '.join(manifest.formats)}] as formats, expected "
            f"{' or '.join(sorted(known))}."
            + (f" Others are not complete without {_INFO}." * (layout == "hub")),
        )
        return None
    for name, splits in manifest.formats.items():
        for split in splits:
            if (found := sum(file.examples for file in split.files)) != split.examples:
                here.add(
                    MANIFEST,
                    f"{split.name} as {name} does not add up: its files have "
                    f"{found:,} records, and it {split.examples:,}.",
                )
    return manifest


def _hold(here: Documents, manifest: Manifest) -> Holding:
    """Returns what a manifest lists."""
    here.check_page("report.html")
    statistics = _read_statistics(here, manifest)
    splits = tuple(
        HeldSplit(
            config=manifest.config,
            format=format_name,
            name=split.name,
            examples=split.examples,
            example_bytes=split.example_bytes,
            files=_shard_files(
                here,
                manifest.config,
                (format_name, split.name),
                [(f.name, f.examples, f.size, f.digest) for f in split.files],
                manifest.images.get(split.name, ImagePolicy()),
                manifest.schema,
            ),
            source=here.path(MANIFEST),
            statistics=statistics.get(split.name, {}),
        )
        for format_name, splits in manifest.formats.items()
        for split in splits
    )
    _report_strangers(here, manifest.dataset, manifest.formats, splits)
    return Holding(
        dataset=manifest.dataset,
        config=manifest.config,
        version=manifest.version,
        class_names=manifest.class_names,
        splits=splits,
        hashed=True,
        counts=manifest.counts,
        documented=bool(manifest.documents),
    )


def _take_unhashed(here: Documents, info: Mapping[str, Any]) -> Holding | None:
    """Returns what ``dataset_info.json`` alone says, as TFDS writes it."""
    schema = read_schema(here)
    try:
        dataset, version = str(info["name"]), str(info["version"])
        config = str(info.get("configName", ""))
        formats = [
            str(info.get("fileFormat", "tfrecord")),
            *map(str, info.get("alternativeFileFormats", [])),
        ]
        counted = [
            (
                str(split["name"]),
                [int(number) for number in split["shardLengths"]],
                int(split["numBytes"]),
            )
            for split in info["splits"]
        ]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        here.add(_INFO, f"It is not as TFDS writes it: {error!r}.")
        return None
    for name in formats:
        if name not in FORMATS or FORMATS[name].layout != "tfds":
            here.add(_INFO, f"It lists the format {name}, which can't be verified.")
            return None
    splits = tuple(
        HeldSplit(
            config=config,
            format=format_name,
            name=split,
            examples=sum(lengths),
            example_bytes=size,
            files=_shard_files(
                here,
                config,
                (format_name, split),
                [
                    (file_name(dataset, split, index, len(lengths)), length, None, None)
                    for index, length in enumerate(lengths)
                ],
                ImagePolicy(),  # what TFDS does
                schema,
            ),
            source=here.path(_INFO),
            statistics={},
        )
        for format_name in formats
        for file_name in [FORMATS[format_name].codec.file_name]
        for split, lengths, size in counted
    )
    _report_strangers(here, dataset, formats, splits)
    return Holding(dataset, config, version, schema.class_names, splits, hashed=False)


def _shard_files(
    here: Documents,
    config: str,
    place: tuple[str, str],
    files: Sequence[tuple[str, int, int | None, str | None]],
    images: ImagePolicy,
    schema: Schema,
) -> tuple[ShardFile, ...]:
    """Returns the files of a split.

    Args:
        here: The directory they lie in.
        config: The configuration's name.
        place: The format and the split.
        files: Name, number of records, size and digest of each, in order.
        images: What was done to the split's images.
        schema: What its records have.
    """
    format_name, split = place
    return tuple(
        ShardFile(
            uri=storage.join(here.directory, name),
            path=here.path(name),
            config=config,
            format=format_name,
            split=split,
            index=index,
            examples=examples,
            size=size,
            digest=digest,
            images=images,
            schema=schema,
        )
        for index, (name, examples, size, digest) in enumerate(files)
    )


def _read_statistics(here: Documents, manifest: Manifest) -> Mapping[str, Any]:
    """Returns what ``statistics.json`` has of each split that the manifest lists."""
    found = here.read_json(STATISTICS)
    if found is None:
        return {}
    names = sorted({s.name for splits in manifest.formats.values() for s in splits})
    here.compare(STATISTICS, {"splits": {name: {} for name in names}}, found)
    by_split = found.get("splits")
    if not isinstance(by_split, dict):
        return {}
    return {name: item for name, item in by_split.items() if isinstance(item, dict)}


def _report_strangers(
    here: Documents, dataset: str, formats: Iterable[str], splits: Sequence[HeldSplit]
) -> None:
    """Reports files that are named like shards and are none of the dataset's."""
    ours = {file.path for split in splits for file in split.files}
    strangers = [
        name
        for name in here.names
        if any(FORMATS[each].is_data_file(dataset, name) for each in formats)
        and here.path(name) not in ours
    ]
    here.add_strangers(sorted(strangers))
