"""The flags of each engine, unless the command line sets others.

An engine is a runner of Beam's with the flags that suit this pipeline, and those that
only the user can know. ``docs/running.md`` says why each flag has its value.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from transforms.cores import available_cores
from transforms.errors import ConfigError

_CORES: Final = available_cores()

# Masters of Flink and of Spark that run in the job server, without a cluster.
_EMBEDDED: Final = re.compile(r"\[(local|auto)\]|local(\[.+\])?")


@dataclass(frozen=True, slots=True)
class Settings:
    """Flags of Beam's that go together.

    Attributes:
        flags: What is set, unless the command line has the same flag.
        needs: What the user has to give: flags, and what they say.
    """

    flags: tuple[str, ...] = ()
    needs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Engine:
    """One of the engines to choose from.

    Attributes:
        runner: The name that Beam has for it.
        always: Flags that it always gets.
        switch: A flag that names what it runs on or in.
        switched: Flags that it gets if the switch is given and names another machine.
    """

    runner: str
    always: Settings = Settings()
    switch: str = ""
    switched: Settings = Settings()


# On a cluster, the machines have pools that start Python workers.
_ENVIRONMENT: Final = "HOST:PORT of the pool of Python workers"

ENGINES: Final[Mapping[str, Engine]] = {
    "local": Engine("FnApiRunner"),
    "prism": Engine("PrismRunner"),
    "flink": Engine(
        "FlinkRunner",
        Settings(
            ("--flink_version=1.20", f"--parallelism={_CORES}"),
            {"flink_master": "HOST:PORT of the JobManager, or [local]"},
        ),
        switch="flink_master",
        switched=Settings(
            ("--environment_type=EXTERNAL", "--sdk_worker_parallelism=0"),
            {
                "environment_config": _ENVIRONMENT,
                "parallelism": "the number of slots to take",
            },
        ),
    ),
    "spark": Engine(
        "SparkRunner",
        Settings(("--spark_master_url=local[*]",)),
        switch="spark_master_url",
        switched=Settings(
            (
                "--environment_type=EXTERNAL",
                "--sdk_worker_parallelism=0",
                "--environment_cache_millis=60000",
            ),
            {"environment_config": _ENVIRONMENT},
        ),
    ),
    "dataflow": Engine(
        "DataflowRunner",
        Settings(
            (
                "--number_of_worker_harness_threads=2",
                "--disk_size_gb=50",
                "--no_save_main_session",
            ),
            {
                "project": "the project that pays",
                "region": "where the workers run, such as us-central1",
                "temp_location": "gs://BUCKET/FOLDER for what Dataflow stages",
            },
        ),
        switch="sdk_container_image",
        switched=Settings(("--sdk_location=container",)),
    ),
}


def engine_flags(name: str, given: Sequence[str]) -> list[str]:
    """Returns an engine's flags, with the command line's at the end.

    Args:
        name: The engine's name.
        given: Flags of Beam's from the command line.

    Raises:
        ConfigError: A flag is missing that the engine needs, or one names a runner.
    """
    engine = ENGINES[name]
    values = _values(given)
    if "runner" in values:
        raise ConfigError(
            f"--engine {name} and --runner {values['runner']}: give one of them."
        )
    settings = [engine.always]
    master = values.get(engine.switch, "")
    if master and not _EMBEDDED.fullmatch(master):
        settings.append(engine.switched)
    for needed in settings:
        for flag, meaning in needed.needs.items():
            if flag not in values:
                raise ConfigError(f"--engine {name} needs --{flag}: {meaning}.")
    flags = [flag for setting in settings for flag in setting.flags]
    return [f"--runner={engine.runner}", *flags, *given]


def _values(flags: Sequence[str]) -> dict[str, str]:
    """Returns flags' values by name, whether given as one argument or as two."""
    values = {}
    for flag, following in pairwise([*flags, ""]):
        if flag.startswith("--"):
            name, _, value = flag[2:].partition("=")
            values[name] = value or following
    return values
