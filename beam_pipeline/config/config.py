"""The configuration of a build, as one frozen value."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, get_args

from beam_pipeline.config.checks import (
    require_names,
    require_naming,
    require_paths,
    require_positive,
    require_splits,
)
from beam_pipeline.config.features import FeatureConfig, make_features
from beam_pipeline.config.limits import file_limits
from beam_pipeline.config.subsets import HELD_FROM, HeldOutConfig, SubsetConfig
from transforms import storage
from transforms.archives import BY_FILE
from transforms.documents import Description
from transforms.errors import ConfigError, printable
from transforms.fields import BESIDE, require_known
from transforms.formats import BY_NAME, FORMATS, ORDERS, Feature, full_name
from transforms.images import ImagePolicy
from transforms.planning import LabelFile, LabelFormat, LabelListFile
from transforms.storage import CHECKSUM, Checksum, absolute

LABEL_BY_CONTAINER: Final = "container"
LABEL_BY_LIST: Final = "list"
NO_LABEL: Final = "none"
LABEL_BY_INDEX: Final = "index"
_LABELS: Final = (LABEL_BY_CONTAINER, LABEL_BY_INDEX, LABEL_BY_LIST, NO_LABEL)

_EXTENSIONS: Final = {"jpeg": "jpg", "webp": "webp", "png": "png"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitConfig:
    """One split: where its images are, which are wanted, how they are labelled.

    Attributes:
        archives: Where its images are, in any form: names or patterns of files and
            folders in manual_dir, absolute paths, or URIs. All are read. Empty to look
            in manual_dir for what holds images of the split.
        names: Pattern of its images' names, as shells have them, by which they are told
            from those of other splits.
        root: The folder of the archives that its images lie below, and that paths
            are counted from; empty for all of them.
        labels: ``container`` for the class that the folder or class tar is named
            after, ``index`` for its number, ``list`` for those of the subset list,
            ``none``, or a file that has them.
        label_lists: A file with all labels of each image, for the feature of the kind
            ``label_list``; None where there is none.
        subset: What it is cut down to; None for all images.
        overlays: Names of an archive whose images replace those of the same name.
        optional: Whether ``allow_missing`` also does without the split where its
            archive is not there.
        images: What is done to its images; None for what is done to those of all.
        members: Number of images that its archive should have; None for any.
        classes: Number of classes that a folder of them should have; None for any.
        examples: Number of examples that it should come to, before any limit or
            rejection; None for any.
    """

    labels: str | LabelFile
    label_lists: LabelListFile | None = None
    archives: tuple[str, ...] = ()
    names: str = "*"
    root: str = ""
    subset: SubsetConfig | None = None
    overlays: tuple[str, ...] = ()
    optional: bool = False
    images: ImagePolicy | None = None
    members: int | None = None
    classes: int | None = None
    examples: int | None = None

    def __post_init__(self) -> None:
        """Refuses labels that have no source.

        Raises:
            ConfigError: They are a file without a format, or a list that is missing.
        """
        if self.subset == SubsetConfig():
            object.__setattr__(self, "subset", None)
        listed = self.subset is not None and self.subset.file is not None
        if self.labels == LABEL_BY_LIST and not listed:
            raise ConfigError(
                "labels is list, and there is no subset list: subset has to name one."
            )
        if self.labels == NO_LABEL and self.subset is not None:
            for key in ("classes", "first_per_class", "per_class"):
                if getattr(self.subset, key) is not None:
                    raise ConfigError(
                        f"labels is none, so subset.{key} has no classes to go by."
                    )
        if isinstance(self.labels, str) and self.labels not in _LABELS:
            raise ConfigError(
                f"labels is '{printable(self.labels)}': expected {', '.join(_LABELS)}, "
                "or a file with its format, {file: PATH, format: FORMAT}. Formats are "
                f"{', '.join(get_args(LabelFormat))}."
            )

    @property
    def expected_examples(self) -> int | None:
        """Number of examples that it should come to, as far as that is stated."""
        if self.examples is None and self.subset is None:
            return self.members
        return self.examples


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownArchive:
    """A published archive of this dataset, or one that is mistaken for it.

    Attributes:
        size: Its length in bytes, if known.
        mebibytes: Its length in MiB, rounded up, where only that is known.
        md5: Its MD5 in hexadecimal digits, if known.
        sha256: Its SHA-256 in hexadecimal digits, if known.
        remark: What it is.
    """

    size: int | None = None
    mebibytes: int | None = None
    md5: str | None = None
    sha256: str | None = None
    remark: str = ""

    def may_have(self, size: int) -> bool:
        """Returns whether its known size is that of a file of so many bytes."""
        return self.size == size or self.mebibytes == -(-size // (1 << 20))


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildConfig:
    """Everything that decides a build.

    Attributes:
        name: Name of the dataset.
        about: Its description; its keys stand beside the others.
        config: Name of the configuration; empty where the dataset has but one.
        version: Version to build, a key of ``versions``.
        versions: The splits of each version, in order.
        splits: The splits there can be.
        val_from_train: A further split that is drawn from ``train``; None for none.
        class_names: File with one class name on a line.
        class_titles: File with a class and what people call it on each line; empty for
            none.
        description: A few sentences on the dataset.
        config_description: A sentence on the configuration.
        homepage: The dataset's web page.
        citation: File with BibTeX entries; empty for none.
        data_dir: Directory of datasets.
        manual_dir: Directory of archives; ``<data_dir>/downloads/manual`` if unset.
        index_dir: Directory of saved indexes; below ``<data_dir>/downloads`` if unset.
        known_archives: Published archives by name, and those mistaken for them.
        images: What is done to images.
        features: The features of records by name, in order; empty for those of
            ImageNet, ``file_name``, ``image`` and ``label``.
        supervised: Those that loaders give as input and target.
        naming: What images are called: a template of ``{file}``, ``{stem}``,
            ``{class}``, ``{path}`` and ``{root}``; see ``archives.naming``.
        order: What is hashed of the names for their order: the ``name``, or
            ``underscored``, with underscores for slashes.
        download_size: Bytes that TFDS says it downloads; None for those of the subset
            lists.
        max_rejects: Most images that may be left out as bad; below 1, a share of them.
        statistics: ``full`` covers the pixels too, which takes decoding every image.
        formats: Formats to write, keys of ``FORMATS``.
        dimensions: Whether formats with columns have the images' width and height.
        max_file_bytes: Most bytes of a file, by format; for the others, their default.
        num_shards: Number of shards by split; the sizes decide for the others.
        max_examples_per_split: Keep this many, the first in archive order.
        checksum: Which hash of each file the manifest has.
        overwrite: Replace a finished dataset.
        repair: Reread a finished dataset, and build again what is damaged.
        ignore_free_space: Build where the disk seems too small.
        allow_missing: Go on where an archive lacks images that a list names, or an
            optional split's archive is not there.
    """

    name: str
    config: str
    version: str
    versions: Mapping[str, tuple[str, ...]]
    splits: Mapping[str, SplitConfig]
    class_names: str
    about: Description = field(metadata=BESIDE)
    citation: str = ""
    class_titles: str = ""
    val_from_train: HeldOutConfig | None = None
    data_dir: str = field(
        default_factory=lambda: (
            os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
        )
    )
    manual_dir: str = ""
    index_dir: str = ""
    known_archives: Mapping[str, KnownArchive] = field(default_factory=dict)
    images: ImagePolicy = field(default_factory=ImagePolicy)
    features: Mapping[str, str | FeatureConfig] = field(default_factory=dict)
    supervised: tuple[str, ...] = ("image", "label")
    naming: str = BY_FILE
    order: str = BY_NAME
    download_size: int | None = None
    max_rejects: float = 0
    statistics: Literal["cheap", "full"] = "cheap"
    formats: tuple[str, ...] = ("tfrecord",)
    dimensions: bool = False
    max_file_bytes: Mapping[str, int] = field(default_factory=dict)
    num_shards: Mapping[str, int] = field(default_factory=dict)
    max_examples_per_split: int | None = None
    checksum: Checksum = CHECKSUM
    overwrite: bool = False
    repair: bool = False
    ignore_free_space: bool = False
    allow_missing: bool = False

    def __post_init__(self) -> None:
        """Fills in directories and checks what depends on several fields."""
        for key in ("class_names", "data_dir"):
            require_paths(key, getattr(self, key))
        require_known("version", self.version, self.versions)
        if self.val_from_train is not None:
            _hold_out(self, self.val_from_train)
        names = {key: getattr(self, key) for key in ("name", "config", "version")}
        if not self.config:
            del names["config"]
        require_names(names | {f"splits.{split}": split for split in self.splits})
        data_dir = absolute(self.data_dir)
        downloads = storage.join(data_dir, "downloads")
        manual_dir = self.manual_dir or storage.join(downloads, "manual")
        index_dir = self.index_dir or storage.join(downloads, self.name, "index")
        object.__setattr__(self, "data_dir", data_dir)
        object.__setattr__(self, "manual_dir", absolute(manual_dir))
        object.__setattr__(self, "index_dir", absolute(index_dir))
        if not 0 <= self.max_rejects < math.inf:
            raise ConfigError(f"max_rejects is {self.max_rejects}: expected 0 or more.")
        limits = file_limits(self.formats, self.dimensions, self.max_file_bytes)
        object.__setattr__(self, "max_file_bytes", limits)
        _check_splits(self)
        make_features(self.features, self.supervised)
        require_naming(self.naming)
        require_known("order", self.order, ORDERS)
        for split, number in self.num_shards.items():
            if number < 1:
                raise ConfigError(f"num_shards {split}={number}: expected 1 or more.")
        if self.max_examples_per_split is not None and self.max_examples_per_split < 1:
            raise ConfigError(
                "max_examples_per_split should be 1 or more, not "
                f"{self.max_examples_per_split}."
            )

    def image_policy(self, split: str) -> ImagePolicy:
        """Returns what is done to a split's images."""
        return self.splits[split].images or self.images

    @property
    def full_name(self) -> str:
        """What TFDS calls it."""
        return full_name(self.name, self.config)

    @property
    def record_features(self) -> tuple[Feature, ...]:
        """What records have."""
        return make_features(self.features, self.supervised)

    @property
    def image_extension(self) -> str:
        """What files of single images are named.

        Raises:
            ConfigError: Splits are encoded differently, and a format needs one name.
        """
        found = {
            _EXTENSIONS[policy.encoding]
            for policy in map(self.image_policy, self.versions[self.version])
        }
        named = [name for name in self.formats if FORMATS[name].image_per_file]
        if named and len(found) > 1:
            raise ConfigError(
                f"{named[0]} needs one encoding for the images of all splits, not "
                f"{' and '.join(sorted(found))}."
            )
        return min(found)

    @property
    def cache_dir(self) -> str:
        """The directory where downloads are kept."""
        return storage.join(self.data_dir, "downloads", self.name)


def _hold_out(config: BuildConfig, held: HeldOutConfig) -> None:
    """Puts a split that is drawn from the training images beside these.

    Raises:
        ConfigError: There are none, or there is a split of its name.
    """
    splits = config.versions[config.version]
    if HELD_FROM not in splits:
        raise ConfigError(
            f"val_from_train: there is no split {HELD_FROM} in version "
            f"{config.version}, but {', '.join(map(printable, splits))}."
        )
    wanted = config.splits[HELD_FROM]
    if wanted.labels == NO_LABEL and held.per_class is not None:
        raise ConfigError("val_from_train.per_class: the images have no labels.")
    subset = wanted.subset
    if subset is not None:
        subset = replace(subset, per_class=None, fraction=None, seed=0)
    ours = replace(wanted, subset=subset, examples=None)
    if held.name in splits and config.splits[held.name] == ours:
        return  # a copy of a configuration
    if held.name in config.splits:
        raise ConfigError(
            f"val_from_train.name is {held.name}, and there is a split of that name. "
            "Choose another."
        )
    place = splits.index(HELD_FROM) + 1
    versions = {config.version: (*splits[:place], held.name, *splits[place:])}
    object.__setattr__(config, "splits", {**config.splits, held.name: ours})
    object.__setattr__(config, "versions", {**config.versions, **versions})


def _check_splits(config: BuildConfig) -> None:
    """Checks the splits and all that names them."""
    require_splits(config.version, config.versions[config.version], config.splits)
    for name in config.num_shards:
        require_known("split", name, config.splits)
    for name, split in config.splits.items():
        key = f"splits.{name}"
        if isinstance(split.labels, LabelFile):
            require_paths(f"{key}.labels.file", split.labels.file)
        require_paths(f"{key}.archives", *split.archives)
        require_paths(f"{key}.names", split.names)
        require_paths(f"{key}.overlays", *split.overlays)
        require_positive(f"{key}.members", split.members)
        require_positive(f"{key}.classes", split.classes)
        require_positive(f"{key}.examples", split.examples)
