"""What an engine is told, and what is refused before it is started."""

from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from beam_pipeline.engines import worker_error
from beam_pipeline.engines.engines import ENGINES, engine_flags
from beam_pipeline.engines.job_servers import require_job_server
from beam_pipeline.engines.runners import make_options, make_pipeline
from tests.helpers.archives import few_archives, run, stated
from transforms.errors import ConfigError

RUNNING = Path(__file__).parents[2] / "docs" / "running.md"

CLUSTER = ["--flink_master=jobmanager:8081", "--environment_config=localhost:50000"]


def options_of(engine: str, *given: str) -> dict[str, object]:
    options = make_options(engine_flags(engine, given))
    found: dict[str, object] = options.get_all_options()
    return found


def test_a_cluster_of_flink_gets_its_flags() -> None:
    assert engine_flags("flink", [*CLUSTER, "--parallelism", "8"]) == [
        *("--runner=FlinkRunner", "--flink_version=1.20"),
        ENGINES["flink"].always.flags[1],
        *("--environment_type=EXTERNAL", "--sdk_worker_parallelism=0"),
        *(*CLUSTER, "--parallelism", "8"),
    ]
    assert options_of("flink", *CLUSTER, "--parallelism=8")["parallelism"] == 8


@pytest.mark.parametrize("master", ["--flink_master=[local]", "--flink_master=[auto]"])
def test_flink_in_one_process_needs_no_more(master: str) -> None:
    options = options_of("flink", master)
    assert options["environment_type"] is None  # Beam takes threads of this process
    assert options["flink_version"] == "1.20"


@pytest.mark.parametrize(
    ("given", "environment"),
    [
        ([], None),
        (["--spark_master_url=local[2]"], None),
        (
            ["--spark_master_url", "spark://m:7077", "--environment_config=h:1"],
            "EXTERNAL",
        ),
    ],
)
def test_spark_takes_workers_of_a_cluster_for_a_cluster(
    given: list[str], environment: str | None
) -> None:
    assert options_of("spark", *given)["environment_type"] == environment


def test_dataflow_installs_nothing_on_an_image_that_has_it_all() -> None:
    needed = ["--project=p", "--region=r", "--temp_location=gs://b/t"]
    assert options_of("dataflow", *needed)["sdk_location"] == "default"
    options = options_of("dataflow", *needed, "--sdk_container_image=i")
    assert options["sdk_location"] == "container"
    assert options["save_main_session"] is False
    assert options["number_of_worker_harness_threads"] == 2


def test_the_command_line_has_the_last_word() -> None:
    given = [*CLUSTER, "--parallelism=8", "--environment_type=PROCESS"]
    options = options_of("flink", *given, "--flink_version=1.19")
    assert options["environment_type"] == "PROCESS"
    assert options["flink_version"] == "1.19"


@pytest.mark.parametrize(
    ("engine", "given", "missing"),
    [
        ("flink", [], "flink_master"),
        ("flink", CLUSTER[:1], "environment_config"),
        ("flink", CLUSTER, "parallelism"),
        ("spark", ["--spark_master_url=spark://m:7077"], "environment_config"),
        ("dataflow", ["--project=p"], "region"),
        ("dataflow", ["--project=p", "--region=r"], "temp_location"),
    ],
)
def test_what_only_the_user_knows_is_asked_for(
    engine: str, given: list[str], missing: str
) -> None:
    with pytest.raises(ConfigError, match=rf"^--engine {engine} needs --{missing}: "):
        engine_flags(engine, given)


@pytest.mark.parametrize(
    "given", [["--runner=SparkRunner"], ["--runner", "SparkRunner"]]
)
def test_an_engine_and_a_runner_are_one_too_many(given: list[str]) -> None:
    message = "^--engine local and --runner SparkRunner: give one of them"
    with pytest.raises(ConfigError, match=message):
        engine_flags("local", given)


def test_an_unknown_runner_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^Unknown runner Flink\. Did you mean"):
        make_options(["--runner=Flink"])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--runner=FlinkRunner", "--job_server_java_launcher=no-such-java"],
            "^There is no no-such-java, which FlinkRunner's job server needs",
        ),
        (
            ["--runner=PrismRunner", "--prism_location=no/prism"],
            "^--prism_location no/prism: there is no such file. «go install ",
        ),
    ],
)
def test_a_job_server_that_is_not_there_is_told(flags: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_pipeline(make_options(flags))


def test_a_job_server_that_runs_needs_no_java_here() -> None:
    flags = ["--runner=FlinkRunner", "--job_server_java_launcher=no-such-java"]
    require_job_server(PipelineOptions([*flags, "--job_endpoint=host:8099"]))


def test_flags_that_a_job_server_does_not_know_are_refused(tmp_path: Path) -> None:
    archives = few_archives(tmp_path / "archives")
    outcome = run(
        *("--config", "demo", "--manual_dir", archives, *stated(archives)),
        *("--data_dir", tmp_path / "data", "--runner=PortableRunner"),
        *("--job_endpoint=embed", "--environment_type=LOOPBACK", "--paralelism=2"),
    )
    assert outcome.code == 2
    assert outcome.err.endswith(
        "error: Unknown flag --paralelism. Did you mean parallelism?\n"
    )


def test_every_flag_that_is_set_is_explained() -> None:
    explained = RUNNING.read_text()
    for engine in ENGINES.values():
        for settings in (engine.always, engine.switched):
            for flag in settings.flags:
                name, _, value = flag.partition("=")
                rows = [row for row in explained.splitlines() if f"| `{name}` |" in row]
                assert rows, name
                if name != "--parallelism":
                    assert any(f"`{value}`" in row or not value for row in rows), flag
            for name in settings.needs:
                assert f"`--{name}`" in explained


@pytest.mark.parametrize(
    ("said", "name", "flag"),
    [
        (
            "Unable to fetch remote prism binary at https://example.com/prism.zip: "
            "<urlopen error>",
            *("prism", "prism_location"),
        ),
        (
            "Unable to fetch remote job server jar at https://example.com/"
            "beam-runners-spark-3-job-server/2.77.0/beam-runners-spark-3-job-server-"
            "2.77.0.jar: HTTP Error 404: Not Found.",
            *("spark", "spark_job_server_jar"),
        ),
        (
            "Unable to fetch remote job server jar at https://example.com/"
            "beam-runners-flink-1.20-job-server-2.77.0.jar: HTTP Error 404.",
            *("flink", "flink_job_server_jar"),
        ),
    ],
)
def test_a_program_that_cannot_be_downloaded_is_told_with_its_flag_and_page(
    said: str, name: str, flag: str
) -> None:
    error = worker_error(RuntimeError(said))
    assert isinstance(error, ConfigError)
    assert str(error) == (
        f"--engine {name} needs a program of Beam's that could not be downloaded. "
        f"Make it as docs/running/{name}.md says, and pass --{flag}."
    )
    assert (RUNNING.parent / "running" / f"{name}.md").is_file()
