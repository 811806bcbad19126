"""Reads Parquet with Polars and with DuckDB.

Usage: read_with_tables.py FOLDER CONFIG...

Prints one JSON document.
"""

import json
import sys
from typing import Any

import duckdb
import polars
from digests import bytes_digest


def main(folder: str, configs: list[str]) -> None:
    document = {
        library: {
            config: {
                split: read(f"{folder}/{config}/{split}-*.parquet")
                for split in ("train", "validation", "test")
            }
            for config in configs
        }
        for library, read in (("polars", read_polars), ("duckdb", read_duckdb))
    }
    json.dump(document, sys.stdout)


def read_polars(paths: str) -> dict[str, Any]:
    table = polars.read_parquet(paths)
    grouped = table.group_by("label").len().sort("label")
    return {
        "types": {name: str(kind) for name, kind in table.schema.items()},
        "records": [
            [
                row["file_name"],
                row["label"],
                bytes_digest(row["image"]["bytes"]),
                row["image"]["path"],
            ]
            for row in table.iter_rows(named=True)
        ],
        "counts": grouped.rows(),
        "some": polars.scan_parquet(paths)
        .filter(polars.col("label") < 300)
        .select("file_name")
        .collect()["file_name"]
        .to_list(),
    }


def read_duckdb(paths: str) -> dict[str, Any]:
    table = f"read_parquet('{paths}')"
    described = duckdb.sql(f"DESCRIBE SELECT * FROM {table}").fetchall()
    rows = duckdb.sql(
        f"SELECT file_name, label, image.bytes, image.path FROM {table}"
    ).fetchall()
    counts = duckdb.sql(
        f"SELECT label, count(*) FROM {table} GROUP BY label ORDER BY label"
    ).fetchall()
    some = duckdb.sql(f"SELECT file_name FROM {table} WHERE label < 300").fetchall()
    return {
        "types": {name: kind for name, kind, *_ in described},
        "records": [
            [name, label, bytes_digest(data), path] for name, label, data, path in rows
        ],
        "counts": counts,
        "some": [name for (name,) in some],
    }


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
