"""Reads Parquet by its croissant.json with mlcroissant.

Usage: read_with_mlcroissant.py CROISSANT_JSON

Prints one JSON document.
"""

import json
import sys
from typing import Any

import mlcroissant
import numpy as np
from digests import pixels_digest


def main(path: str) -> None:
    dataset = mlcroissant.Dataset(jsonld=path)
    issues = dataset.metadata.ctx.issues
    document = {
        "errors": sorted(issues.errors),
        "warnings": sorted(issues.warnings),
        "conforms_to": dataset.metadata.conforms_to,
        "names": [dataset.metadata.name, str(dataset.metadata.version)],
        "records": {
            records.uuid: [
                {name: plain(value) for name, value in record.items()}
                for record in dataset.records(records.uuid)
            ]
            for records in dataset.metadata.record_sets
        },
    }
    json.dump(document, sys.stdout)


def plain(value: Any) -> Any:
    """Returns a field's value as JSON has it: texts decoded, images as digests."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, (str, int)):
        return value
    return pixels_digest(np.asarray(value))


if __name__ == "__main__":
    main(sys.argv[1])
