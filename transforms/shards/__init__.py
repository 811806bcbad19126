"""Build one shard from its spec, report it, and add the reports up."""

from typing import TYPE_CHECKING

from transforms.doors import lazy

if TYPE_CHECKING:
    from transforms.shards.members import Accepted, Rejected, treated_members
    from transforms.shards.output import ShardOutput
    from transforms.shards.progress import ShardMeter, ShardProgress, meter_of
    from transforms.shards.report import FORMAT, VERSION, ShardReport
    from transforms.shards.tally import ReadSource, Tally, add_up, open_sources
else:
    __getattr__ = lazy(__name__)

__all__ = [
    "FORMAT",
    "VERSION",
    "Accepted",
    "ReadSource",
    "Rejected",
    "ShardMeter",
    "ShardOutput",
    "ShardProgress",
    "ShardReport",
    "Tally",
    "add_up",
    "meter_of",
    "open_sources",
    "treated_members",
]
