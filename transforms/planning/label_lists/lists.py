"""All labels of an image, where records have several, and where they come from."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.errors import LabelError, sample

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
