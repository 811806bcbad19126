"""Which images are wanted, how they are labelled, in which order and shard."""

from typing import TYPE_CHECKING

from transforms.doors import lazy

if TYPE_CHECKING:
    from transforms.planning.completeness import StatedNumbers
    from transforms.planning.counts import shard_ends
    from transforms.planning.cuts import SplitOptions
    from transforms.planning.label_files.description import LabelFile, LabelFormat
    from transforms.planning.label_files.reading import read_label_file
    from transforms.planning.label_lists.description import LabelListFile
    from transforms.planning.label_lists.lists import read_label_lists
    from transforms.planning.labels import (
        UNLABELLED,
        LabelByContainer,
        LabelByIndex,
        LabelByName,
        Labeller,
        Unlabelled,
        labels_by_name,
        labels_of_list,
        read_class_names,
        read_class_titles,
    )
    from transforms.planning.lists import (
        SubsetFile,
        SubsetFormat,
        SubsetList,
        read_subset_list,
    )
    from transforms.planning.order import order_keys
    from transforms.planning.recipes.draw import Draw
    from transforms.planning.recipes.drawing import Drawing
    from transforms.planning.recipes.lists import ListCuts, cut_list, keep_listed
    from transforms.planning.selection import NOT_KEPT, Selection
    from transforms.planning.spec import PlannedImage, ShardSpec
else:
    __getattr__ = lazy(__name__)

__all__ = [
    "NOT_KEPT",
    "UNLABELLED",
    "Draw",
    "Drawing",
    "LabelByContainer",
    "LabelByIndex",
    "LabelByName",
    "LabelFile",
    "LabelFormat",
    "LabelListFile",
    "Labeller",
    "ListCuts",
    "PlannedImage",
    "Selection",
    "ShardSpec",
    "SplitOptions",
    "StatedNumbers",
    "SubsetFile",
    "SubsetFormat",
    "SubsetList",
    "Unlabelled",
    "cut_list",
    "keep_listed",
    "labels_by_name",
    "labels_of_list",
    "order_keys",
    "read_class_names",
    "read_class_titles",
    "read_label_file",
    "read_label_lists",
    "read_subset_list",
    "shard_ends",
]
