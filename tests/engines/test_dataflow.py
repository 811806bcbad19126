"""What a Dataflow job is refused for, before anything is staged."""

import sys
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import SetupOptions

from beam_pipeline.engines import runners
from beam_pipeline.engines.dataflow import Job, prepare_job
from beam_pipeline.engines.runners import is_dataflow, make_options
from tests.helpers.archives import run
from transforms.errors import ConfigError
from transforms.extras import install_line

BUCKET = {"data_dir": "gs://bucket/data"}
OPTIONS = (
    *("--runner=DataflowRunner", "--project=a-project", "--region=europe-west4"),
    *("--temp_location=gs://bucket/tmp", "--sdk_container_image=image:1"),
)


@pytest.mark.parametrize(
    ("runner", "expected"),
    [
        ("DataflowRunner", True),
        ("apache_beam.runners.dataflow.DataflowRunner", True),
        ("FlinkRunner", False),
        ("DirectRunner", False),
    ],
)
def test_dataflow_is_known_by_each_of_its_names(runner: str, expected: bool) -> None:
    assert is_dataflow(make_options([f"--runner={runner}"])) is expected


def test_without_googles_libraries_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runners, "find_spec", lambda name: None)
    make_options(["--runner=FlinkRunner"])
    with pytest.raises(ConfigError) as refusal:
        make_options(["--runner=DataflowRunner"])
    assert str(refusal.value) == (
        f"Dataflow needs Google's libraries. Install them: {install_line('gcp')}"
    )


def test_without_a_runner_nothing_goes_to_dataflow() -> None:
    assert not is_dataflow(make_options([]))


@pytest.mark.parametrize("name", ["data_dir", "manual_dir", "index_dir"])
def test_directories_of_this_machine_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refusal:
        prepare_job(
            make_options([*OPTIONS, "--no_auth"]), BUCKET | {name: str(tmp_path)}
        )
    assert str(refusal.value) == (
        f"--{name} {tmp_path} is on this machine, and Dataflow's workers run on "
        "others. Give a directory in a bucket, gs://BUCKET/..."
    )


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("project", "--project is missing: the Google Cloud project that pays."),
        (
            "temp_location",
            "--temp_location is missing: where the job's own files go, such as "
            "gs://BUCKET/tmp.",
        ),
        (
            "sdk_container_image",
            "Dataflow's workers need this program. Give an image that has it with "
            "--sdk_container_image=IMAGE, or its source with --setup_file=./setup.py.",
        ),
    ],
)
def test_what_a_job_lacks_is_said(missing: str, message: str) -> None:
    flags = [flag for flag in OPTIONS if not flag.startswith(f"--{missing}=")]
    with pytest.raises(ConfigError) as refusal:
        prepare_job(
            make_options([*flags, "--no_auth"]),
            BUCKET,
        )
    assert str(refusal.value) == message


@pytest.mark.parametrize(
    "program", ["--setup_file=./setup.py", "--extra_package=dist/project.tar.gz"]
)
def test_the_program_may_travel_with_the_job(program: str) -> None:
    flags = [flag for flag in OPTIONS if "image" not in flag]
    prepare_job(
        make_options([*flags, program, "--no_auth"]),
        BUCKET,
    )


OURS = sys.version_info.minor
ANOTHER = OURS + 1


@pytest.mark.parametrize(
    "image",
    [
        f"gcr.io/p/imagenet2012_subset:python3.{ANOTHER}",
        f"docker.io/apache/beam_python3.{ANOTHER}_sdk:2.77.0",
        f"imagenet:5-py3{ANOTHER}",
        f"imagenet-python3.{ANOTHER}@sha256:0123",
    ],
)
def test_an_image_with_another_python_is_refused(image: str) -> None:
    flags = [flag for flag in OPTIONS if "image" not in flag]
    options = make_options([*flags, f"--sdk_container_image={image}", "--no_auth"])
    with pytest.raises(ConfigError) as refusal:
        prepare_job(options, BUCKET)
    assert str(refusal.value) == (
        f"--sdk_container_image {image} has Python 3.{ANOTHER}, and this is Python "
        f"3.{OURS}: workers need the same. Submit with Python 3.{ANOTHER}, or build "
        f"the image with --build-arg PYTHON=3.{OURS}."
    )


@pytest.mark.parametrize(
    "image",
    [
        f"imagenet2012_subset:python3.{OURS}",
        f"imagenet:5-py3{OURS}",
        f"gcr.io/python3.{ANOTHER}/imagenet:1",  # a project's name
        "happy38:1",
        f"imagenet:3.{ANOTHER}",
    ],
)
def test_an_image_with_this_python_or_that_says_nothing_is_taken(image: str) -> None:
    flags = [flag for flag in OPTIONS if "image" not in flag]
    prepare_job(
        make_options([*flags, f"--sdk_container_image={image}", "--no_auth"]), BUCKET
    )


def test_without_credentials_the_command_says_how_to_get_some(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")  # nor does the machine have any
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    outcome = run("--config", "demo", "--data_dir", "gs://bucket/data", *OPTIONS)
    assert outcome.code == 2
    assert outcome.err == (
        "error: There are no Google credentials here. Get some with `gcloud auth "
        "application-default login`, or name a key file in "
        "GOOGLE_APPLICATION_CREDENTIALS.\n"
    )


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], False),
        (["--save_main_session"], True),
        (["--no_save_main_session"], False),
    ],
)
def test_the_main_session_is_left_out_unless_it_is_wanted(
    flags: list[str], expected: bool
) -> None:
    options = make_options([*OPTIONS, "--no_auth", *flags])
    prepare_job(options, BUCKET)
    assert options.view_as(SetupOptions).save_main_session is expected


def test_a_job_is_watched_and_stopped_where_it_runs() -> None:
    job = Job("2026-01-02_03_04_05-6789", "a-project", "europe-west4")
    assert job.goes_on() == (
        "Dataflow job 2026-01-02_03_04_05-6789 goes on: "
        "https://console.cloud.google.com/dataflow/jobs/europe-west4/"
        "2026-01-02_03_04_05-6789?project=a-project\n"
        "Before the same build is started again, let it end or stop it:\n"
        "gcloud dataflow jobs cancel 2026-01-02_03_04_05-6789 "
        "--project=a-project --region=europe-west4"
    )
