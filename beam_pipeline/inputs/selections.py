"""Finds what is wanted of each split: its lists, classes, draws and labels."""

import logging
from collections.abc import Sequence

from beam_pipeline.config import (
    HELD_FROM,
    LABEL_BY_INDEX,
    LABEL_BY_LIST,
    NO_LABEL,
    BuildConfig,
    class_list,
    shipped_class_lists,
)
from transforms import storage
from transforms.errors import ConfigError, SubsetError, printable, sample
from transforms.planning import (
    NOT_KEPT,
    Draw,
    Drawing,
    LabelByContainer,
    LabelByIndex,
    LabelByName,
    LabelFile,
    Labeller,
    ListCuts,
    Selection,
    SubsetFile,
    SubsetList,
    Unlabelled,
    cut_list,
    keep_listed,
    labels_of_list,
    read_class_names,
    read_label_file,
    read_label_lists,
    read_subset_list,
)

_LOGGER = logging.getLogger(__name__)


def dataset_classes(config: BuildConfig) -> tuple[str, ...]:
    """Returns the name of class ``i`` of the dataset at position ``i``.

    Raises:
        ConfigError: Splits renumber their classes differently.
        LabelError: A file of class names is malformed.
        StorageError: One can't be read.
        SubsetError: A subset names unknown classes, or none.
    """
    names = read_class_names(config.class_names)
    found: dict[tuple[str, ...], str] = {}
    for split in config.versions[config.version]:
        wanted = config.splits[split]
        if wanted.subset is not None and wanted.subset.renumbers:
            classes = tuple(sorted(kept_classes(config, split, names) or ()))
            found.setdefault(classes, split)
        elif wanted.labels != NO_LABEL:
            found.setdefault(names, split)
    if not any(classes != names for classes in found):
        return names
    if len(found) > 1:
        one, other, *_ = found.values()
        raise ConfigError(
            f"Labels would mean one class in {one} and another in {other}: with "
            "labels renumber all splits take the same classes. State them once for all "
            "of them: --set subset.classes=NAME subset.labels=renumber."
        )
    return next(iter(found))


def kept_classes(
    config: BuildConfig, split: str, class_names: Sequence[str]
) -> tuple[str, ...] | None:
    """Returns the classes that a split is cut down to; None where it keeps all.

    Args:
        config: What is asked for.
        split: The split's name.
        class_names: All classes.

    Raises:
        LabelError: The file of classes is malformed.
        StorageError: It can't be read.
        SubsetError: It is not there, or names unknown classes.
    """
    subset = config.splits[split].subset
    if subset is None or subset.classes is None:
        return None
    if isinstance(subset.classes, str):
        source = _class_file(config, subset.classes)
        classes = read_class_names(source)
    else:
        source, classes = f"splits.{split}.subset.classes", subset.classes
    known = frozenset(class_names)
    unknown = [name for name in classes if name not in known]
    if unknown:
        raise SubsetError(
            f"{source} names {len(unknown):,} classes that are none of the "
            f"{len(known):,} of {config.class_names}: {sample(unknown)}."
        )
    if len({*classes}) < len(classes):
        twice = sorted({name for name in classes if classes.count(name) > 1})
        raise SubsetError(f"{source} names classes twice: {sample(twice)}.")
    return classes


def _class_file(config: BuildConfig, name: str) -> str:
    """Returns the file of classes that a configuration names."""
    shipped = class_list(name)
    if shipped is not None:
        return shipped
    path = storage.locate(name, config.manual_dir)
    if not storage.exists(path):
        raise SubsetError(
            f"There is no list of classes {printable(path)}. These are shipped: "
            f"{', '.join(shipped_class_lists())}."
        )
    return path


def select(config: BuildConfig, split: str, class_names: Sequence[str]) -> Selection:
    """Returns what is wanted of a split.

    Args:
        config: What is asked for.
        split: The split's name.
        class_names: The name of class ``i`` of the dataset at position ``i``.

    Raises:
        LabelError: A file of class names or labels is malformed.
        StorageError: A file can't be read.
        SubsetError: A list cannot be found, is not the one described, is malformed, or
            leaves nothing.
    """
    wanted = config.splits[split]
    every = read_class_names(config.class_names)
    subset = find_subset(config, split, every)
    labeller = make_labeller(config, split, every, subset)
    kept = kept_classes(config, split, every)
    new_labels = None if kept is None else _new_labels(every, kept, class_names)
    excluded = _find_excluded(config, split, every)
    drawing = _find_drawing(config, split, class_names, kept)
    if subset is not None:
        cuts = ListCuts(
            excluded=frozenset(excluded.names if excluded else ()),
            kept_classes=new_labels,
            first_per_class=wanted.subset.first_per_class if wanted.subset else None,
            drawing=drawing,
        )
        subset = cut_list(subset, cuts, labeller, every, _LOGGER.warning)
        drawing = None
    return Selection(
        *(labeller, subset, tuple(class_names), new_labels, excluded, drawing),
        order=config.order,
        lists=None
        if wanted.label_lists is None
        else read_label_lists(
            *(wanted.label_lists, config.manual_dir, config.cache_dir, len(every))
        ),
    )


def _new_labels(
    every: Sequence[str], kept: Sequence[str], class_names: Sequence[str]
) -> tuple[int, ...]:
    """Returns for each of all classes the label that its images get."""
    numbers = {name: i for i, name in enumerate(class_names) if name in {*kept}}
    return tuple(numbers.get(name, NOT_KEPT) for name in every)


def _find_excluded(
    config: BuildConfig, split: str, class_names: Sequence[str]
) -> SubsetList | None:
    subset = config.splits[split].subset
    if subset is None or subset.exclude is None:
        return None
    file = SubsetFile(subset.exclude)
    return read_subset_list(
        file, config.manual_dir, config.cache_dir, tuple(class_names)
    )


def _find_drawing(
    config: BuildConfig,
    split: str,
    class_names: Sequence[str],
    kept: Sequence[str] | None,
) -> Drawing | None:
    """Returns what is drawn for a split; None where nothing is, and all may lack."""
    subset = config.splits[split].subset
    own = None if subset is None else subset.draw
    draws: tuple[Draw, ...] = () if own is None else (own,)
    rest = False
    held = config.val_from_train
    if held is not None and split == held.name:
        draws = (held.draw,)
    elif held is not None and split == HELD_FROM:
        draws, rest = (held.draw, *draws), own is None
    if not draws and kept is None:
        return None
    numbers = {name: number for number, name in enumerate(class_names)}
    return Drawing(
        split=split,
        draws=draws,
        rest=rest or not draws,
        class_names=tuple(class_names),
        classes=None if kept is None else tuple(numbers[name] for name in kept),
        allow_missing=config.allow_missing,
    )


def expected_labeller(
    config: BuildConfig, split: str, class_names: Sequence[str]
) -> Labeller:
    """Returns what labels the images of a finished split, as the dataset has labels.

    Args:
        config: What was asked for.
        split: The split's name.
        class_names: The name of class ``i`` of the dataset at position ``i``.

    Raises:
        LabelError: A file of class names or labels is malformed.
        StorageError: A file can't be read.
        SubsetError: A list cannot be found or is not the one described.
    """
    wanted, subset = config.splits[split], None
    every = read_class_names(config.class_names)
    if wanted.labels == LABEL_BY_LIST:
        subset = find_subset(config, split, every)
    labeller = make_labeller(config, split, every, subset)
    kept = kept_classes(config, split, every)
    if kept is None or not isinstance(labeller, LabelByName):
        return labeller
    return keep_listed(labeller, _new_labels(every, kept, class_names))


def absent_labels(config: BuildConfig, split: str) -> str | None:
    """Returns the archive that a split's labels lie in, where it is not there.

    None where it is, where they lie beside it, and where they lie in no archive.
    """
    wanted = config.splits[split]
    by_list = wanted.subset if wanted.labels == LABEL_BY_LIST else None
    source = wanted.labels if isinstance(wanted.labels, LabelFile) else by_list
    if source is None or source.file is None or source.within is None:
        return None
    paths = [
        storage.locate(each, config.manual_dir) for each in (source.file, source.within)
    ]
    return None if any(map(storage.exists, paths)) else source.within


def find_subset(
    config: BuildConfig, split: str, class_names: Sequence[str]
) -> SubsetList | None:
    """Returns the list that a split is cut down to, if there is one.

    Args:
        config: What is asked for.
        split: The split's name.
        class_names: The name of class ``i`` at position ``i``.

    Raises:
        SubsetError: It cannot be found, is not the one described, is malformed, or
            names another number of images than is stated.
        StorageError: It can't be read.
    """
    wanted = config.splits[split]
    if wanted.subset is None:
        return None
    file = wanted.subset.list_file
    if file is None:
        return None
    found = read_subset_list(
        file, config.manual_dir, config.cache_dir, tuple(class_names)
    )
    if wanted.examples not in (None, len(found.names)):
        raise SubsetError(
            f"{found.source} names {len(found.names):,} images, and "
            f"splits.{split}.examples of the configuration states {wanted.examples:,}. "
            "It may be another list, or one that was cut off or edited. For a list of "
            f"your own, state its number as splits.{split}.examples, or null."
        )
    return found


def make_labeller(
    config: BuildConfig,
    split: str,
    class_names: tuple[str, ...],
    subset: SubsetList | None,
) -> Labeller:
    """Returns what gives the images of a split their labels.

    Args:
        config: What is asked for.
        split: The split's name.
        class_names: The name of class ``i`` at position ``i``.
        subset: The list it is cut down to, which is needed where it has the labels.

    Raises:
        LabelError: A file of labels is malformed, or the list lacks one.
        StorageError: It can't be read.
        SubsetError: The archive that has it cannot be found, or lacks it.
    """
    wanted = config.splits[split]
    if isinstance(wanted.labels, LabelFile):
        return read_label_file(
            *(wanted.labels, class_names, wanted.members),
            *(config.manual_dir, config.cache_dir),
        )
    if wanted.labels == LABEL_BY_LIST and subset is not None:
        return labels_of_list(subset, class_names)
    if wanted.labels == NO_LABEL:
        return Unlabelled()
    if wanted.labels == LABEL_BY_INDEX:
        return LabelByIndex(tuple(class_names))
    return LabelByContainer(class_names)
