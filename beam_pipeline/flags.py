"""The flags of the build command."""

import argparse
from typing import Any, Final

from beam_pipeline.engines import ENGINES
from transforms.formats import FORMATS
from transforms.storage import CHECKSUM, CHECKSUMS


class _ListAction(argparse.Action):
    """Prints what can be built, and ends the program, as ``--help`` does."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
        from beam_pipeline.catalogue import print_catalogue

        print_catalogue()
        parser.exit()


def _parse_switch(text: str) -> bool:
    if text not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{text} is neither true nor false")
    return text == "true"


# A Flex template's launcher gives every parameter a value: --overwrite=true.
_SWITCH: Final[dict[str, Any]] = {
    "nargs": "?",
    "const": True,
    "type": _parse_switch,
    "metavar": "true|false",
}


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of our own flags; what it does not know is Beam's."""
    parser = argparse.ArgumentParser(
        prog="python -m beam_pipeline.run",
        description="Builds imagenet2012_subset or one of its siblings from archives.",
        epilog="Any other flag is one of Apache Beam's, such as --runner, "
        "--direct_num_workers or --direct_running_mode. Exit codes: 0 the dataset is "
        "there, 1 the build failed, 2 the command line or the config is wrong.",
        allow_abbrev=False,
    )
    what = parser.add_argument_group("what to build")
    what.add_argument(
        "--config",
        required=True,
        metavar="NAME|PATH.yaml",
        help="one that --list prints, as 1pct, or a file of your own",
    )
    what.add_argument(
        "--list",
        nargs=0,
        action=_ListAction,
        help="print the datasets that are shipped, with what each takes, and exit",
    )
    what.add_argument(
        "--version",
        metavar="X.Y.Z",
        help="5.0.0 as TFDS has it; 5.1.0 adds the test split",
    )
    what.add_argument(
        "--max_examples_per_split",
        type=int,
        metavar="N",
        help="keep the first N of each split, in archive order",
    )
    what.add_argument(
        "--allow_missing",
        **_SWITCH,
        help="go on where an archive lacks images that the subset list names, or where "
        "the test archive of 5.1.0 is missing",
    )
    what.add_argument(
        "--max_rejects",
        type=float,
        metavar="N|SHARE",
        help="bad images that may be left out, as 10 or 0.001; more of them fail the "
        "build when its shards are written (default: 0)",
    )
    what.add_argument(
        "--verify_images",
        choices=("header", "decode"),
        help="look at headers alone, or decode every image (default: header)",
    )
    what.add_argument(
        "--statistics",
        choices=("cheap", "full"),
        help="full decodes every image for its mean and deviation (default: cheap)",
    )
    where = parser.add_argument_group("where")
    where.add_argument(
        "--manual_dir",
        metavar="DIR",
        help="the archives, and the subset list if it is there "
        "(default: DATA_DIR/downloads/manual)",
    )
    where.add_argument(
        "--data_dir",
        metavar="DIR",
        help="the datasets (default: $TFDS_DATA_DIR or ~/tensorflow_datasets)",
    )
    where.add_argument(
        "--index_dir",
        metavar="DIR",
        help="saved indexes of archives (default: beneath DATA_DIR/downloads)",
    )
    where.add_argument(
        "--verify_archives",
        action="store_true",
        help="read the archives whole first, and compare them with the published ones",
    )
    how = parser.add_argument_group("how")
    how.add_argument(
        "--format",
        metavar="NAME[,NAME]",
        help=f"{', '.join(FORMATS)} (default: tfrecord)",
    )
    how.add_argument(
        "--num_shards",
        nargs="+",
        metavar="SPLIT=N",
        help="instead of the number that the sizes give",
    )
    how.add_argument(
        "--checksum",
        choices=CHECKSUMS,
        help="the hash of each file in manifest.json, as sha256sum or b3sum has it "
        f"(default: {CHECKSUM})",
    )
    how.add_argument(
        "--engine",
        choices=tuple(ENGINES),
        help="what it runs on; docs/running.md says what each needs (default: local)",
    )
    how.add_argument(
        "--overwrite",
        **_SWITCH,
        help="replace the dataset if it is there",
    )
    how.add_argument(
        "--repair",
        **_SWITCH,
        help="reread the dataset if it is there, and build again what is damaged",
    )
    how.add_argument(
        "--ignore_free_space",
        **_SWITCH,
        help="build even if the disk seems too small",
    )
    how.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="any key of the config, such as splits.train.subset.file=mine.txt",
    )
    how.add_argument(
        "--dry_run",
        action="store_true",
        help="plan, print what would be done, and write nothing",
    )
    how.add_argument(
        "--quiet", action="store_true", help="say nothing but warnings and errors"
    )
    how.add_argument(
        "--verbose", **_SWITCH, default=False, help="show all of Beam's log"
    )
    return parser
