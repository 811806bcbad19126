"""A build on Dataflow, from the command line to the dataset, without Google.

The command submits to a service on this machine, which hands the staged pipeline to a
worker in a process of its own. What is written has to be what a local build writes.
"""

import json
import re
import signal
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Final

import pytest
from apache_beam.portability.api import beam_runner_api_pb2

from beam_pipeline.demo import TRAIN_ARCHIVE
from tests.helpers.archives import (
    SIZES_DECIDE,
    Outcome,
    build,
    few_archives,
    nested_tar,
    stated,
    write_archives,
)
from tests.suites.dataflow.cloud import (
    BUCKET,
    IMAGE,
    PROJECT,
    REGION,
    ROOT,
    SECRET,
    TEMP,
    Bucket,
    Worker,
    finish,
    staged,
    start,
    submit,
)
from tests.suites.dataflow.server import (
    CANCELLED,
    FAILED,
    JOB_ID,
    Ending,
    JobService,
    Json,
)

# What chooses the engine, and what is asked of it besides what that implies.
ENGINE: Final = ("--engine=dataflow",)
OPTIONS: Final = (
    f"--sdk_container_image={IMAGE}",
    "--machine_type=n2-standard-4",
    "--max_num_workers=20",
    "--autoscaling_algorithm=THROUGHPUT_BASED",
    "--labels=dataset=imagenet2012_subset",
    "--labels=team=vision",
    "--service_account_email=builder@a-project.iam.gserviceaccount.com",
    "--no_use_public_ips",
)
ALL_FORMATS: Final = ("--format", "tfrecord,array_record,parquet,webdataset")

PAGE: Final = (
    f"https://console.cloud.google.com/dataflow/jobs/{REGION}/{JOB_ID}"
    f"?project={PROJECT}"
)
ANNOUNCED: Final = f"Dataflow job {JOB_ID}: {PAGE}\n"
GOES_ON: Final = (
    f"Dataflow job {JOB_ID} goes on: {PAGE}\n"
    "Before the same build is started again, let it end or stop it:\n"
    f"gcloud dataflow jobs cancel {JOB_ID} --project={PROJECT} --region={REGION}\n"
)


# What a command says of its archives, and every few seconds of what is published.
COUNTED: Final = re.compile(r"^\w+: (a tar, |no shard|[\d,]+ of ).*\n", re.MULTILINE)


@dataclass(frozen=True)
class Submitted:
    """A job that is done, and the local build that it has to equal."""

    job: Json
    staged: Mapping[str, bytes]
    outcome: Outcome
    files: Mapping[str, bytes]
    local: Outcome
    local_dir: Path
    local_files: Mapping[str, bytes]


def demo(bucket: Bucket, archives: Path, place: str) -> tuple[str, ...]:
    """Puts archives into the bucket; returns the flags that build from them there."""
    manual_dir = bucket.write(f"{place}/archives", archives)
    data_dir = f"gs://{BUCKET}/{place}/data"
    where = (f"--manual_dir={manual_dir}", f"--data_dir={data_dir}")
    return ("--config=demo", "--max_rejects=0", *where, *stated(archives))


def written_remotely(bucket: Bucket, place: str) -> dict[str, bytes]:
    return without_downloads(bucket.read(f"{place}/data"))


def written_locally(data_dir: Path) -> dict[str, bytes]:
    files = [path for path in data_dir.rglob("*") if path.is_file()]
    return without_downloads(
        {str(path.relative_to(data_dir)): path.read_bytes() for path in files}
    )


def without_downloads(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Leaves out what a build keeps for the next one."""
    return {
        name: files[name] for name in sorted(files) if not name.startswith("downloads/")
    }


@pytest.fixture(scope="module")
def submitted(
    bucket: Bucket, small_archives: Path, tmp_path_factory: pytest.TempPathFactory
) -> Submitted:
    directory = tmp_path_factory.mktemp("submitted")
    service = JobService(Worker(bucket, directory))
    outcome = submit(
        *(bucket, service, *demo(bucket, small_archives, "submitted")),
        *(*ALL_FORMATS, *ENGINE, *OPTIONS),
    )
    local = build(small_archives, directory / "local", *ALL_FORMATS)
    assert (outcome.code, local.code) == (0, 0), outcome.err
    assert service.posted is not None
    return Submitted(
        service.posted,
        staged(bucket, service.posted),
        outcome,
        written_remotely(bucket, "submitted"),
        local,
        directory / "local",
        written_locally(directory / "local"),
    )


def hashes(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: sha256(data).hexdigest() for name, data in files.items()}


def test_the_staged_pipeline_writes_what_a_local_build_writes(
    submitted: Submitted,
) -> None:
    assert hashes(submitted.files) == hashes(submitted.local_files)
    # So that two empty directories are not taken for equal ones.
    suffixes = ("tfrecord-00000-of-00004", "array_record-00000-of-00004")
    names = [name for name in submitted.files if name.endswith(suffixes)]
    assert len(names) == len(suffixes)
    assert "imagenet2012_subset/demo/5.0.0/dataset_info.json" in submitted.files


def without_times(out: str, data_dir: str) -> list[str]:
    """Returns a summary's lines without what differs from run to run."""
    lines = out.replace(data_dir, "DATA_DIR").splitlines()
    return [re.sub(r"\b\d+\.\d\b", "S", line) for line in lines]


def test_the_command_says_where_the_job_is_then_what_a_local_build_says(
    submitted: Submitted,
) -> None:
    assert COUNTED.sub("", submitted.outcome.err) == ANNOUNCED
    summary = without_times(submitted.outcome.out, f"gs://{BUCKET}/submitted/data")
    assert summary == without_times(submitted.local.out, str(submitted.local_dir))


def test_the_job_goes_where_it_is_sent_under_its_labels(submitted: Submitted) -> None:
    job = submitted.job
    assert (job["projectId"], job["location"]) == (PROJECT, REGION)
    assert job["type"] == 1  # batch
    assert job["labels"] == {"dataset": "imagenet2012_subset", "team": "vision"}


def test_the_workers_are_those_asked_for(submitted: Submitted) -> None:
    (pool,) = submitted.job["environment"]["workerPools"]
    (harness,) = pool["sdkHarnessContainerImages"]
    assert (pool["workerHarnessContainerImage"], harness["containerImage"]) == (
        IMAGE,
        IMAGE,
    )
    # A process for each core, for Python's threads share one.
    assert harness["useSingleCorePerContainer"] is True
    assert pool["numThreadsPerWorker"] == 2
    assert pool["machineType"] == "n2-standard-4"
    assert pool["diskSizeGb"] == 50
    assert pool["autoscalingSettings"] == {"algorithm": 2, "maxNumWorkers": 20}
    assert pool["ipConfiguration"] == 2  # private
    assert submitted.job["environment"]["serviceAccountEmail"] == (
        "builder@a-project.iam.gserviceaccount.com"
    )


def test_the_experiments_are_beams_own(submitted: Submitted) -> None:
    # None sets data_buffer_time_limit_ms, with which workers lose elements.
    assert sorted(submitted.job["environment"]["experiments"]) == [
        "beam_fn_api",
        "use_multiple_sdk_containers",
        "use_portable_job_submission",
        "use_runner_v2",
        "use_unified_worker",
    ]


def test_the_program_comes_with_the_image_and_not_with_the_session(
    submitted: Submitted,
) -> None:
    options = submitted.job["environment"]["sdkPipelineOptions"]["options"]
    assert options["sdk_location"] == "container"
    assert options["save_main_session"] is False
    assert "setup_file" not in options
    assert "requirements_file" not in options


def test_the_pipeline_and_a_list_of_packages_are_all_that_is_staged(
    submitted: Submitted,
) -> None:
    packages = "submission_environment_dependencies.txt"
    assert sorted(submitted.staged) == ["pipeline.pb", packages]
    assert b"apache-beam==2.77.0" in submitted.staged[packages]
    (pool,) = submitted.job["environment"]["workerPools"]
    assert [package["name"] for package in pool["packages"]] == [packages]


def test_the_pipeline_runs_in_the_image_alone(submitted: Submitted) -> None:
    data = submitted.staged["pipeline.pb"]
    options = submitted.job["environment"]["sdkPipelineOptions"]["options"]
    assert options["pipelineProtoHash"] == sha256(data).hexdigest()
    pipeline = beam_runner_api_pb2.Pipeline.FromString(data)
    (environment,) = pipeline.components.environments.values()
    assert environment.urn == "beam:env:docker:v1"
    payload = beam_runner_api_pb2.DockerPayload.FromString(environment.payload)
    assert payload.container_image == IMAGE


def test_neither_images_nor_secrets_travel_with_the_job(
    submitted: Submitted, small_archives: Path
) -> None:
    sent = [*submitted.staged.values(), json.dumps(submitted.job).encode()]
    for secret in SECRET.values():
        assert not [data for data in sent if secret.encode() in data]
    with tarfile.open(small_archives / "ILSVRC2012_img_val.tar") as archive:
        files = [archive.extractfile(member) for member in archive]
        images = [file.read()[-64:] for file in files if file]
    assert len(images) == 20
    assert not [image for image in images for data in sent if image in data]
    # 50,000 labels, and no more of anything than of those.
    assert len(submitted.staged["pipeline.pb"]) < 500_000


def test_a_workers_error_is_told_once_with_the_jobs_page(
    bucket: Bucket, tmp_path: Path
) -> None:
    archives = write_archives(
        few_archives(tmp_path / "archives"),
        train=nested_tar({"n01440764": [("n01440764_1.JPEG", b"no image")]}),
        listed=["n01440764_1.JPEG"],
    )
    outcome = submit(
        *(bucket, JobService(Worker(bucket, tmp_path))),
        *(*demo(bucket, archives, "bad"), *SIZES_DECIDE, *ENGINE, *OPTIONS),
    )
    local = build(archives, tmp_path / "local", *SIZES_DECIDE)
    assert (outcome.code, local.code) == (1, 1)
    # The same words as locally, and then the job.
    told = local.err.splitlines()[-1]
    told = told.replace(str(tmp_path / "local"), f"gs://{BUCKET}/bad/data")
    told = told.replace(str(archives), f"gs://{BUCKET}/bad/archives")
    assert COUNTED.sub("", outcome.err) == (
        f"{ANNOUNCED}{told}\nDataflow job {JOB_ID} is failed: {PAGE}\n"
        "The same command goes on from the shards that are whole.\n"
    )
    assert TRAIN_ARCHIVE in told


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        (
            Ending(FAILED, ["Workflow failed. Causes: Quota 'CPUS' exceeded."]),
            "Workflow failed. Causes: Quota 'CPUS' exceeded.\n"
            f"Dataflow job {JOB_ID} is failed: {PAGE}\n",
        ),
        (
            Ending(CANCELLED),
            f"The job did not finish.\nDataflow job {JOB_ID} is cancelled: {PAGE}\n",
        ),
    ],
    ids=["failed", "cancelled"],
)
def test_what_ends_a_job_early_is_told_with_its_page(
    bucket: Bucket, tmp_path: Path, ending: Ending, reason: str
) -> None:
    archives = few_archives(tmp_path / "archives")
    outcome = submit(
        *(bucket, JobService(lambda job: ending)),
        *(*demo(bucket, archives, "few"), *ENGINE, *OPTIONS),
    )
    assert outcome.code == 1
    assert COUNTED.sub("", outcome.err) == (
        f"{ANNOUNCED}error: {reason}"
        "The same command goes on from the shards that are whole.\n"
    )


@dataclass(frozen=True)
class Waiting:
    """A command that waits for a job which goes on and on."""

    service: JobService
    command: subprocess.Popen[str]


@pytest.fixture
def waiting(bucket: Bucket, tmp_path: Path) -> Iterator[Waiting]:
    ended = threading.Event()

    def run(job: Json) -> Ending:
        ended.wait()
        return Ending()

    service = JobService(run)
    archives = few_archives(tmp_path / "archives")
    with service.serving() as endpoint:
        flags = (*demo(bucket, archives, "few"), *ENGINE, *OPTIONS)
        command = start(bucket, endpoint, *flags)
        assert command.stderr is not None
        while (line := command.stderr.readline()) != ANNOUNCED:
            assert COUNTED.fullmatch(line)
        yield Waiting(service, command)
        command.kill()
        command.wait()
        ended.set()


def test_an_interrupted_command_says_that_the_job_goes_on(waiting: Waiting) -> None:
    waiting.command.send_signal(signal.SIGINT)
    ended = finish(waiting.command)
    assert (ended.code, ended.out) == (130, "")
    assert COUNTED.sub("", ended.err) == f"error: Interrupted. {GOES_ON}"


def test_a_service_that_answers_no_more_is_not_taken_for_a_failed_job(
    waiting: Waiting,
) -> None:
    waiting.service.answers = False
    ended = finish(waiting.command)
    assert (ended.code, ended.out) == (1, "")
    assert COUNTED.sub("", ended.err) == (
        f"error: The service does not answer. {GOES_ON}"
    )


def test_a_job_can_be_left_to_itself(bucket: Bucket, tmp_path: Path) -> None:
    never = threading.Event()

    def run(job: Json) -> Ending:
        never.wait()
        return Ending()

    service = JobService(run)
    archives = few_archives(tmp_path / "archives")
    flags = (*demo(bucket, archives, "few"), *ENGINE, *OPTIONS)
    outcome = submit(bucket, service, *flags, "--no_wait_until_finish")
    never.set()
    assert (outcome.code, outcome.out) == (0, GOES_ON)
    assert COUNTED.sub("", outcome.err) == ""


def test_a_flex_templates_launcher_gets_the_job_written_down(
    bucket: Bucket, tmp_path: Path
) -> None:
    archives = few_archives(tmp_path / "archives")
    service = JobService(lambda job: Ending())
    place = f"gs://{BUCKET}/launches/job_object"
    # The way the launcher writes parameters, options and switches.
    outcome = submit(
        *(bucket, service, *demo(bucket, archives, "few")),
        *("--num_shards=train=2 validation=1", "--overwrite=true"),
        *("--allow_missing=false", f"--template_location={place}"),
        *("--runner=DataflowRunner", *OPTIONS),
        program=["deploy/dataflow/main.py"],
    )
    said = f"The job is written to {place}, not started.\n"
    assert (outcome.code, outcome.out) == (0, said), outcome.err
    assert service.posted is None
    job = json.loads(bucket.read("launches")["job_object"])
    url = job["environment"]["sdkPipelineOptions"]["options"]["pipelineUrl"]
    pipeline = bucket.read(TEMP)[url.removeprefix(f"gs://{BUCKET}/{TEMP}/")]
    assert beam_runner_api_pb2.Pipeline.FromString(pipeline).root_transform_ids


def test_the_program_can_travel_as_source(
    bucket: Bucket, small_archives: Path, submitted: Submitted, tmp_path: Path
) -> None:
    worker = Worker(bucket, tmp_path, python_path=tmp_path / "installed")

    def run(job: Json) -> Ending:
        source = staged(bucket, job)["workflow.tar.gz"]
        (tmp_path / "workflow.tar.gz").write_bytes(source)
        # As a worker does it, but that what the project needs is here already.
        flags = ("--no-deps", "--target", worker.python_path)
        subprocess.run(
            [sys.executable, "-m", "pip", "install", *flags, "workflow.tar.gz"],
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )
        return worker(job)

    service = JobService(run)
    outcome = submit(
        *(bucket, service, *demo(bucket, small_archives, "source"), *ALL_FORMATS),
        *(*ENGINE, f"--setup_file={ROOT / 'setup.py'}"),
    )
    assert outcome.code == 0, outcome.err
    assert hashes(written_remotely(bucket, "source")) == hashes(submitted.local_files)
    assert service.posted is not None
    files = staged(bucket, service.posted)
    assert "pickled_main_session" not in files
    with tarfile.open(fileobj=BytesIO(files["workflow.tar.gz"])) as source:
        names = {name.partition("/")[2] for name in source.getnames()} - {""}
    # Newer setuptools take the tests along, older ones don't.
    tops = {name.partition("/")[0] for name in names} - {"tests"}
    assert tops == {
        *("PKG-INFO", "README.md", "beam_pipeline", "configs", "pyproject.toml"),
        *("setup.cfg", "setup.py", "transforms"),
        "imagenet2012_subset_beam.egg-info",
    }
