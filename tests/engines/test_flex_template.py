"""The Flex template's metadata against the command line that its parameters reach."""

import argparse
import json
import re
from pathlib import Path

import pytest
from google.cloud.dataflow_v1beta3 import (
    ParameterMetadata,
    ParameterType,
    TemplateMetadata,
)

from beam_pipeline.engines.runners import make_beam_parser
from beam_pipeline.flags import make_parser
from transforms.formats.table import FORMATS

TEXT = (Path(__file__).parents[2] / "deploy/dataflow/metadata.json").read_text()
# The service's own schema; a field that it does not know is an error.
METADATA = TemplateMetadata.from_json(TEXT)
PARAMETERS = {parameter.name: parameter for parameter in METADATA.parameters}

# The launcher says itself that the job goes to Dataflow, and has little time to itself.
NO_PARAMETERS = {"help", "list", "engine", "quiet", "dry_run", "verify_archives"}
# A bucket does not say how much room it has.
NO_PARAMETERS |= {"ignore_free_space"}
# Directories have defaults on this machine, which a job can't use.
REQUIRED_IN_A_BUCKET = {"data_dir"}
BEAMS = {"sdk_container_image", "number_of_worker_harness_threads"}


def flags(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    return {
        option.removeprefix("--"): action
        for action in parser._actions
        for option in action.option_strings
        if option.startswith("--")
    }


OURS = flags(make_parser())


def test_every_flag_is_a_parameter_and_every_parameter_a_flag() -> None:
    assert set(PARAMETERS) == (set(OURS) - NO_PARAMETERS) | BEAMS
    assert set(flags(make_beam_parser())) >= BEAMS
    names = [parameter["name"] for parameter in json.loads(TEXT)["parameters"]]
    assert len(names) == len(set(names))


def test_what_has_no_default_on_dataflow_is_required() -> None:
    required = {name for name, action in OURS.items() if action.required}
    assert {name for name, found in PARAMETERS.items() if not found.is_optional} == (
        required | REQUIRED_IN_A_BUCKET | {"sdk_container_image"}
    )


@pytest.mark.parametrize("parameter", METADATA.parameters, ids=lambda p: str(p.name))
def test_every_parameter_is_explained_and_bounded(parameter: ParameterMetadata) -> None:
    assert parameter.label
    assert parameter.help_text.endswith(".")
    assert parameter.regexes


@pytest.mark.parametrize("name", sorted(set(OURS) - NO_PARAMETERS))
def test_choices_and_switches_are_told_as_such(name: str) -> None:
    action, parameter = OURS[name], PARAMETERS[name]
    assert [option.value for option in parameter.enum_options] == list(
        action.choices or ()
    )
    assert (parameter.param_type == ParameterType.ENUM) is bool(action.choices)
    assert (parameter.param_type == ParameterType.BOOLEAN) is (action.const is True)


ACCEPTED = {
    "config": ["1pct", "/template/mine.yaml"],
    "data_dir": ["gs://bucket/data", "s3://bucket/data"],
    "manual_dir": ["gs://bucket/archives"],
    "index_dir": ["gs://bucket/index"],
    "version": ["5.0.0", "5.1.0"],
    "format": ["tfrecord", ",".join(FORMATS)],
    "num_shards": ["train=8", "train=8 validation=4"],
    "max_examples_per_split": ["10"],
    "allow_missing": ["true", "false"],
    "max_rejects": ["0", "10", "0.001"],
    "verify_images": ["header", "decode"],
    "statistics": ["cheap", "full"],
    "checksum": ["blake3", "sha256"],
    "overwrite": ["true", "false"],
    "repair": ["true", "false"],
    "set": ["images.policy=resize", "splits.train.subset.file=mine.txt"],
    "verbose": ["true", "false"],
}
REFUSED = {
    "config": [""],
    "data_dir": ["/home/me/data", "~/data", "bucket/data"],
    "manual_dir": ["/home/me/archives"],
    "index_dir": ["index"],
    "version": ["5", "latest"],
    "format": ["csv", "tfrecord,", "tfrecord parquet"],
    "num_shards": ["8", "train=", "train=8,validation=4"],
    "max_examples_per_split": ["0", "ten"],
    "allow_missing": ["yes", ""],
    "max_rejects": ["-1", "1%"],
    "verify_images": ["all"],
    "statistics": ["some"],
    "checksum": ["md5"],
    "overwrite": ["True"],
    "repair": ["True"],
    "set": ["images.policy"],
    "verbose": ["1"],
}


def matches(name: str, value: str) -> bool:
    return all(re.fullmatch(regex, value) for regex in PARAMETERS[name].regexes)


@pytest.mark.parametrize("name", sorted(set(OURS) - NO_PARAMETERS))
def test_what_a_parameter_lets_through_the_command_line_takes(name: str) -> None:
    for value in ACCEPTED[name]:
        assert matches(name, value)
        required = [] if name == "config" else ["--config=demo"]
        make_parser().parse_args([*required, f"--{name}={value}"])
    assert not [value for value in REFUSED[name] if matches(name, value)]


def test_switches_are_given_with_and_without_a_value() -> None:
    parser = make_parser()

    def overwrite(*given: str) -> bool | None:
        found: bool | None = parser.parse_args(["--config=demo", *given]).overwrite
        return found

    assert overwrite() is None
    assert overwrite("--overwrite") is True
    assert overwrite("--overwrite=true") is True
    assert overwrite("--overwrite=false") is False
    with pytest.raises(SystemExit):
        overwrite("--overwrite=perhaps")
