"""The manifests for Flink keep to their schemas, and their builds to the command line.

Neither Docker nor Kubernetes runs here: this is as far as they can be checked.
"""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from beam_pipeline.console.command import refuse_unknown
from beam_pipeline.engines.engines import engine_flags
from beam_pipeline.flags import make_parser
from tests.suites.engines.cluster import ROOT

COMPOSE = ROOT / "deploy" / "flink" / "compose.yaml"
KUBERNETES = ROOT / "deploy" / "flink" / "kubernetes.yaml"
VALIDATORS = ROOT / ".venv-engines" / "bin"

COMPOSE_CHECK = ["check-jsonschema", "--builtin-schema", "vendor.compose-spec"]
KUBERNETES_CHECK = ["kubernetes-validate", "--strict", "-k", "1.37.0"]


def validate(check: list[str], path: Path) -> subprocess.CompletedProcess[str]:
    command = [str(VALIDATORS / check[0]), *check[1:], str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("check", "path", "key"),
    [
        (COMPOSE_CHECK, COMPOSE, "command:"),
        (KUBERNETES_CHECK, KUBERNETES, "containers:"),
    ],
    ids=["compose", "kubernetes"],
)
def test_a_manifest_keeps_to_its_schema(
    check: list[str], path: Path, key: str, tmp_path: Path
) -> None:
    found = validate(check, path)
    assert found.returncode == 0, found.stdout + found.stderr
    # The same with a word misspelt is refused.
    spoilt = tmp_path / path.name
    spoilt.write_text(path.read_text().replace(key, "x" + key))
    assert validate(check, spoilt).returncode != 0


def compose_services() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"]
    return services


def kubernetes_containers() -> dict[str, Any]:
    documents = yaml.safe_load_all(KUBERNETES.read_text())
    specs = [document.get("spec", {}) for document in documents]
    pods = [spec["template"]["spec"] for spec in specs if "template" in spec]
    return {each["name"]: each for pod in pods for each in pod["containers"]}


@pytest.mark.parametrize(
    "flags",
    [
        compose_services()["build"]["command"],
        kubernetes_containers()["build"]["args"],
    ],
    ids=["compose", "kubernetes"],
)
def test_the_command_line_takes_what_a_manifest_gives_it(flags: list[str]) -> None:
    arguments, of_beam = make_parser().parse_known_args(flags)
    assert (arguments.config, arguments.engine) == ("1pct", "flink")
    assert engine_flags(arguments.engine, of_beam)[-len(of_beam) :] == of_beam
    refuse_unknown(of_beam, make_parser(), [])


def test_both_manifests_run_the_same_images() -> None:
    composed = {service["image"] for service in compose_services().values()}
    deployed = {container["image"] for container in kubernetes_containers().values()}
    assert composed == deployed
    assert {image.partition(":")[0] for image in composed} == {
        "flink",
        "apache/beam_flink1.20_job_server",
        "imagenet2012-subset-beam",
    }
