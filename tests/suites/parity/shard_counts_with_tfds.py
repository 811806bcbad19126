"""Counts shards as TFDS does; run by the Python that has TFDS.

Reads pairs of total bytes and examples as JSON, prints the numbers of shards.
"""

import json
import sys

from tensorflow_datasets.core.utils.shard_utils import ShardConfig


def main() -> None:
    cases = json.load(sys.stdin)
    counts = [ShardConfig.calculate_number_shards(*case) for case in cases]
    json.dump(counts, sys.stdout)


if __name__ == "__main__":
    main()
