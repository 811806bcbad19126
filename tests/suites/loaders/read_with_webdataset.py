"""Reads tars with webdataset.

Usage: read_with_webdataset.py FOLDER SHARDS CONFIG...

SHARDS is a JSON object with the number of tars of each split. Prints one JSON document.
"""

import glob
import json
import sys
from typing import Any

import numpy as np
import webdataset
from digests import bytes_digest, pixels_digest


def main(folder: str, shards: dict[str, int], configs: list[str]) -> None:
    document = {
        config: {
            split: read(f"{folder}/{config}/{split}", number)
            for split, number in shards.items()
        }
        for config in configs
    }
    json.dump(document, sys.stdout)


def read(prefix: str, number: int) -> list[Any]:
    braces = f"{prefix}-{{000000..{number - 1:06d}}}.tar"
    raw = webdataset.WebDataset(braces, shardshuffle=False)
    listed = sorted(glob.glob(f"{prefix}-*.tar"))
    decoded = webdataset.WebDataset(listed, shardshuffle=False).decode("pil")
    return [
        [
            sample["__key__"],
            sorted(key for key in sample if not key.startswith("__")),
            sample["cls"],
            sample["json"],
            [int(encoded["cls"]), json.loads(encoded["json"])],
            bytes_digest(encoded["jpg"]),
            pixels_digest(np.asarray(sample["jpg"])),
        ]
        for sample, encoded in zip(decoded, raw, strict=True)
    ]


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]), sys.argv[3:])
