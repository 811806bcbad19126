"""The names of a build's counters: steps write them by split, reports read them."""

from typing import Final

# Of the archives.
MEMBERS: Final = "members"  # images in them
SKIPPED_DIRECTORIES: Final = "skipped_directories"
SKIPPED_LINKS: Final = "skipped_links"  # that lead to no file
SKIPPED_LEFTOVERS: Final = "skipped_leftovers"  # of editors and systems
OTHER_SPLITS: Final = "other_splits"  # images that the split's names leave out
SKIPPED_OTHERS: Final = "skipped_others"  # files that are no images by extension
UNMARKED_ENDS: Final = "unmarked_ends"  # tars without end-of-archive blocks
ZEROS_AT_ENDS: Final = "zeros_at_ends"  # zero bytes, more than padding takes

# Of the plan.
UNKNOWN_CLASSES: Final = "unknown_classes"  # containers of no class, which are skipped
OTHER_CLASS: Final = "other_class"  # images whose names tell of another class
MISSING: Final = "missing"  # images that should be there, of the list or in number
MISSING_MEMBERS: Final = "missing_members"  # images that the archive should have

# Of an estimate, which writes nothing.
PLANNED_IMAGES: Final = "planned_images"  # that would be read
PLANNED_BYTES: Final = "planned_bytes"  # their lengths in the archives
PLANNED_SHARDS: Final = "planned_shards"
SAMPLED_IMAGES: Final = "sampled_images"  # read and treated to see how long it takes
SAMPLED_BYTES: Final = "sampled_bytes"  # their lengths in the archives
SAMPLED_WRITTEN: Final = "sampled_written"  # their lengths as they would be written
SAMPLED_US: Final = "sampled_us"  # the time it took, in microseconds of one worker

# Of a build.
WORKER_MS: Final = "worker_ms"  # spent on shards, in milliseconds of one worker
EXAMPLES: Final = "examples"
EXAMPLE_BYTES: Final = "example_bytes"
REJECTED: Final = "rejected"  # images that are left out


def planned_files(format_name: str) -> str:
    """Names the counter of the files that a format would have."""
    return f"planned_{format_name}"


def files(format_name: str) -> str:
    """Names the counter of a format's files."""
    return f"{format_name}_files"


def file_bytes(format_name: str) -> str:
    """Names the counter of the bytes of a format's files."""
    return f"{format_name}_bytes"


def repaired(kind: str) -> str:
    """Names the counter of the images that were repaired in one way."""
    return f"repaired_{kind}"
