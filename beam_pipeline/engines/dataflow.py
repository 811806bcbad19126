"""Jobs on Dataflow: what they need before they start, and how they end.

A job runs on machines that have none of this one's files, and outlives the command
that submits it. What it lacks is reported before anything is staged; its page, and the
way to stop it, as soon as it exists.
"""

import logging
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import google.auth
from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PipelineOptions,
    SetupOptions,
    StandardOptions,
    WorkerOptions,
)
from apache_beam.runners.dataflow.dataflow_runner import (
    DataflowPipelineResult,
    DataflowRuntimeException,
)
from google.auth.exceptions import DefaultCredentialsError

from beam_pipeline.engines.worker_errors import worker_error
from transforms import storage
from transforms.errors import BuildError, ConfigError

_LOGGER = logging.getLogger(__name__)

# How images say which Python they have, as Beam's do: beam_python3.12_sdk, py312.
_PYTHON_OF_IMAGE: Final = re.compile(r"(?<![a-z])py(?:thon)?-?3\.?(\d{1,2})(?!\d)")

_CONSOLE: Final = "https://console.cloud.google.com/dataflow/jobs"


@dataclass(frozen=True, slots=True)
class Job:
    """A job that the service has taken.

    Attributes:
        id: What the service calls it.
        project: The project that pays for it.
        region: Where it runs.
    """

    id: str
    project: str
    region: str

    @property
    def page(self) -> str:
        """The web page that shows it."""
        return f"{_CONSOLE}/{self.region}/{self.id}?project={self.project}"

    @property
    def stop_command(self) -> str:
        """The command that cancels it."""
        return (
            f"gcloud dataflow jobs cancel {self.id} "
            f"--project={self.project} --region={self.region}"
        )

    def goes_on(self) -> str:
        """Returns what to know when this command ends before the job."""
        return (
            f"Dataflow job {self.id} goes on: {self.page}\n"
            f"Before the same build is started again, let it end or stop it:\n"
            f"{self.stop_command}"
        )


def prepare_job(options: PipelineOptions, directories: Mapping[str, str]) -> None:
    """Checks that a job has what it needs, before anything is read or staged.

    Args:
        options: Beam's; the main session is left out of the job, unless they want it.
        directories: What workers read and write, by the flag that names it.

    Raises:
        ConfigError: A directory is on this machine alone, an option is missing, the
            workers would lack this program or have another Python, or there are no
            credentials.
    """
    setup = options.view_as(SetupOptions)
    if setup.save_main_session is None:
        # All that workers call is in the packages. Beam would stage the command too.
        setup.save_main_session = False
    _require_reachable(directories)
    google_options = options.view_as(GoogleCloudOptions)
    if not google_options.project:
        raise ConfigError("--project is missing: the Google Cloud project that pays.")
    if not google_options.temp_location:
        raise ConfigError(
            "--temp_location is missing: where the job's own files go, such as "
            "gs://BUCKET/tmp."
        )
    workers = options.view_as(WorkerOptions)
    _require_program(setup, workers)
    _require_same_python(workers.sdk_container_image or "")
    if not google_options.no_auth:
        _require_credentials()


def _require_reachable(directories: Mapping[str, str]) -> None:
    for name, directory in directories.items():
        if storage.is_local(directory):
            raise ConfigError(
                f"--{name} {directory} is on this machine, and Dataflow's workers run "
                "on others. Give a directory in a bucket, gs://BUCKET/..."
            )


def _require_program(setup: SetupOptions, workers: WorkerOptions) -> None:
    if not (workers.sdk_container_image or setup.setup_file or setup.extra_packages):
        raise ConfigError(
            "Dataflow's workers need this program. Give an image that has it with "
            "--sdk_container_image=IMAGE, or its source with --setup_file=./setup.py."
        )


def _require_same_python(image: str) -> None:
    """Compares Python with what the image's name says, if it says anything.

    Beam pickles functions, which only the same minor version unpickles for certain.
    """
    ours = sys.version_info.minor
    for found in _PYTHON_OF_IMAGE.findall(image.rpartition("/")[2]):
        if int(found) != ours:
            raise ConfigError(
                f"--sdk_container_image {image} has Python 3.{found}, and this is "
                f"Python 3.{ours}: workers need the same. Submit with Python 3.{found},"
                f" or build the image with --build-arg PYTHON=3.{ours}."
            )


def _require_credentials() -> None:
    """Looks for credentials once; Beam would try for 23 s and go on without."""
    try:
        google.auth.default()
    except DefaultCredentialsError as error:
        raise ConfigError(
            "There are no Google credentials here. Get some with `gcloud auth "
            "application-default login`, or name a key file in "
            "GOOGLE_APPLICATION_CREDENTIALS."
        ) from error


def wait_for_job(result: DataflowPipelineResult, options: PipelineOptions) -> bool:
    """Waits for a job as long as the options want, and says where it can be watched.

    Args:
        result: What the runner gave back.
        options: The options the job was submitted with.

    Returns:
        Whether the job is done. It is not where ``--template_location`` only has it
        written down, as in the launcher of a Flex template, or where
        ``--no_wait_until_finish`` has it go on by itself.

    Raises:
        BuildError: The job failed or was cancelled, or its state cannot be found out.
        KeyboardInterrupt: The user does not want to wait; it says what that means.
    """
    google_options = options.view_as(GoogleCloudOptions)
    if not result.has_job:
        print(f"The job is written to {google_options.template_location}, not started.")
        return False
    job = Job(result.job_id(), google_options.project, google_options.region)
    if options.view_as(StandardOptions).no_wait_until_finish:
        print(job.goes_on())
        return False
    try:
        _LOGGER.info("Dataflow job %s: %s", job.id, job.page)
        result.wait_until_finish()
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"Interrupted. {job.goes_on()}") from None
    except DataflowRuntimeException as error:
        raise _failure(error, job) from error
    except AssertionError as error:  # the thread that asks for its state has died
        raise BuildError(f"The service does not answer. {job.goes_on()}") from error
    return True


def _failure(error: DataflowRuntimeException, job: Job) -> BuildError:
    """Returns the error of ours that made the job fail, or what the service says."""
    known = worker_error(error) or BuildError(_reason(error))
    return type(known)(
        f"{known}\nDataflow job {job.id} is {error.result.state.lower()}: {job.page}\n"
        "The same command goes on from the shards that are whole."
    )


def _reason(error: DataflowRuntimeException) -> str:
    said = str(error).partition("Error:\n")[2].strip()
    if not said or said == "None":  # a job that was cancelled has no message
        return "The job did not finish."
    return said.splitlines()[-1] if "Traceback" in said else said
