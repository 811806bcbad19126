"""What a dataset is compared with besides its own documents."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from transforms.planning import Labeller


@dataclass(frozen=True, slots=True)
class ExpectedLabels:
    """The labels that records should have.

    Attributes:
        labels: One of each record, null where it is not known.
        source: Where they come from, in words.
        complete: Whether the source should have all of them.
    """

    labels: pa.Array
    source: str
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Expectations:
    """What records are compared with besides the dataset's documents.

    Attributes:
        labellers: How the images of each split are labelled, where that is known.
        listed: The names that a split should have; a split that may lack some, or is
            not cut down to a list, has no entry.
        archived: Whether the images of the archives are there to compare.
    """

    labellers: Mapping[str, Labeller]
    listed: Mapping[str, frozenset[str]]
    archived: bool
