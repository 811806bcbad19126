"""All labels of an image, where records have several, and where they come from."""

import json
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.errors import LabelError, sample
from transforms.planning.label_lists.description import LabelListFile
from transforms.planning.lists import SubsetFile, fetch_list

# All classes of an image, empty but for records that have them.
LABELS_FIELD: Final = pa.field("labels", pa.list_(pa.int64()), nullable=False)


def no_labels(count: int) -> pa.ListArray:
    """Returns empty lists of labels."""
    ends = pa.array(np.zeros(count + 1, np.int32))
    return pa.ListArray.from_arrays(ends, pa.array([], pa.int64()))


@dataclass(frozen=True, slots=True)
class LabelLists:
    """All labels of images, by a list of image names.

    Attributes:
        listed: The columns ``name``, and ``labels`` as ``LABELS_FIELD`` has it.
        source: Where the list comes from, for messages.
    """

    listed: pa.Table
    source: str

    def labels(self, members: pa.Table) -> pa.ListArray:
        """Returns all labels of each member.

        Raises:
            LabelError: A member is not in the list.
        """
        listed = self.listed.combine_chunks()
        rows = pc.index_in(members["name"].combine_chunks(), listed["name"])
        if rows.null_count:
            unknown = members["name"].filter(pc.is_null(rows)).to_pylist()
            raise LabelError(
                f"{self.source} has no labels of {len(unknown):,} images of the "
                f"archives: {sample(unknown)}. Is it the list of these archives?"
            )
        found: pa.ListArray = listed["labels"].combine_chunks().take(rows)
        return found


def read_label_lists(
    wanted: LabelListFile, manual_dir: str, cache_dir: str, classes: int
) -> LabelLists:
    """Returns all labels of images, by a file of them.

    Args:
        wanted: The file.
        manual_dir: Where the user may have put it.
        cache_dir: Where a download is kept.
        classes: Number of classes.

    Raises:
        LabelError: It is no JSON of lists of class numbers, or of another number of
            images than there should be.
        SubsetError: It cannot be found, or its size or hash is wrong.
        StorageError: It can't be read.
    """
    file = SubsetFile(wanted.file, wanted.url, wanted.size, wanted.sha256)
    path, data = fetch_list(file, manual_dir, cache_dir)
    try:
        lists = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise LabelError(f"{path} is no JSON: {error}.") from error
    if not isinstance(lists, list):
        raise LabelError(f"{path} should hold a list with a list for each image.")
    for number, labels in enumerate(lists, 1):
        if not isinstance(labels, list) or not all(
            type(label) is int and 0 <= label < classes for label in labels
        ):
            raise LabelError(
                f"{path}: image {number:,} should have a list of class numbers, 0 to "
                f"{classes - 1:,}, and has {json.dumps(labels)[:60]}."
            )
    if wanted.images not in (None, len(lists)):
        raise LabelError(
            f"{path} has labels of {len(lists):,} images, expected {wanted.images:,}. "
            "Get it again, or say with label_lists.images how many it should have."
        )
    names = [wanted.names.format(n) for n in range(1, len(lists) + 1)]
    schema = pa.schema([pa.field("name", pa.string(), nullable=False), LABELS_FIELD])
    return LabelLists(pa.table([names, lists], schema=schema), path)
