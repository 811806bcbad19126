"""Checks the formats that are asked for, and says how large their files may get."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec

from transforms.errors import ConfigError
from transforms.extras import install_line
from transforms.fields import require_known
from transforms.formats import FORMATS


def file_limits(
    formats: Sequence[str], dimensions: bool, max_file_bytes: Mapping[str, int]
) -> dict[str, int]:
    """Returns the most bytes of a file in each format that has a limit.

    Args:
        formats: The formats that are asked for.
        dimensions: Whether images' width and height are wanted as columns.
        max_file_bytes: Limits that are asked for, also of other formats.

    Raises:
        ConfigError: A format is unknown, named twice, or lacks its package, or one of
            the others can't have what is asked for.
    """
    for name in formats:
        require_known("format", name, FORMATS)
        needs = FORMATS[name].needs
        if needs and find_spec(needs) is None:
            raise ConfigError(
                f"The format {name} needs the package {needs}. Install it: "
                + install_line(needs.replace("_", "-"))
            )
    if not formats or len(set(formats)) < len(formats):
        raise ConfigError("Name at least one format, and each once.")
    limits = {name: most for name in formats if (most := FORMATS[name].max_bytes)}
    if dimensions and not limits:
        raise ConfigError(
            f"dimensions asks for columns that {' and '.join(formats)} can't have. "
            "Build parquet or webdataset too, or leave it out."
        )
    for name, most in max_file_bytes.items():
        require_known("format in max_file_bytes", name, FORMATS)
        if FORMATS[name].max_bytes is None:
            raise ConfigError(
                f"max_file_bytes {name}: {name} has the shards that TFDS gives it; "
                "num_shards sets another number."
            )
        if name in limits:
            limits[name] = most
    return limits
