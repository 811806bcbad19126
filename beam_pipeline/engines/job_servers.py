"""The programs between Beam and some engines, and whether they can be started."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from apache_beam.options.pipeline_options import (
    JobServerOptions,
    PipelineOptions,
    PortableOptions,
    StandardOptions,
)

from transforms import storage
from transforms.errors import ConfigError


@dataclass(frozen=True, slots=True)
class JobServer:
    """The program between Beam and an engine; Beam starts it.

    Attributes:
        flag: The flag that says where it lies.
        made_by: The command that makes it.
        java: Whether it takes Java to run.
    """

    flag: str
    made_by: str
    java: bool


JOB_SERVERS: Final[Mapping[str, JobServer]] = {
    "FlinkRunner": JobServer(
        "flink_job_server_jar", "mvn -f deploy/flink/pom.xml package", java=True
    ),
    "SparkRunner": JobServer(
        "spark_job_server_jar", "mvn -f deploy/spark/pom.xml package", java=True
    ),
    "PrismRunner": JobServer(
        "prism_location",
        "go install github.com/apache/beam/sdks/v2/go/cmd/prism@v2.77.0",
        java=False,
    ),
}


def require_job_server(options: PipelineOptions) -> None:
    """Refuses options whose job server could not be started.

    Raises:
        ConfigError: There is no Java, or the job server is not where it should be.
    """
    runner = options.view_as(StandardOptions).runner
    if runner not in JOB_SERVERS or options.view_as(PortableOptions).job_endpoint:
        return
    server = JOB_SERVERS[runner]
    java = options.view_as(JobServerOptions).job_server_java_launcher
    if server.java and shutil.which(java) is None:
        raise ConfigError(
            f"There is no {java}, which {runner}'s job server needs. Install Java 11 "
            "or 17, say with --job_server_java_launcher where it is, or give the "
            "--job_endpoint of a job server that runs."
        )
    location = options.get_all_options()[server.flag]
    if location and storage.is_local(location) and not os.path.isfile(location):
        raise ConfigError(
            f"--{server.flag} {location}: there is no such file. «{server.made_by}» "
            "makes one."
        )
