"""Where a dataset's documents lie in its directory."""

from typing import Final

from transforms.formats.format import Layout

MANIFEST: Final = "manifest.json"

# The document that is written last: a directory that has it is complete.
MARKS: Final[dict[Layout, str]] = {
    "tfds": "dataset_info.json",
    "hub": MANIFEST,
}
