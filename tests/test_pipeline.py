"""The pipelines as graphs: what steps hand on is of the types that the next ones take.

Engines check this when a pipeline is made. Local builds, which most tests run, do not.
"""

from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions, TypeOptions

from beam_pipeline.config import load_config
from beam_pipeline.inputs import VerifyOptions, find_demands, find_inputs, find_output
from beam_pipeline.pipeline import build_dataset, estimate_build, verify_dataset
from tests.helpers.archives import build, dataset_dir

# Small archives have other numbers than a configuration states.
ANY_NUMBERS = {
    f"splits.{split}.{key}": None
    for split in ("train", "validation")
    for key in ("members", "examples")
}


def checked_pipeline() -> beam.Pipeline:
    pipeline = beam.Pipeline(options=PipelineOptions([]))
    assert pipeline.options.view_as(TypeOptions).pipeline_type_check
    return pipeline


@pytest.mark.parametrize("subset", [None, {"file": None, "per_class": 2}])
def test_types_of_a_build_fit(
    small_archives: Path, tmp_path: Path, subset: dict[str, object] | None
) -> None:
    places = {"manual_dir": str(small_archives), "data_dir": str(tmp_path)}
    recipe = {} if subset is None else {"splits.train.subset": subset}
    config = load_config("demo", ANY_NUMBERS | recipe, places)
    inputs = find_inputs(config, find_output(config))
    assert build_dataset(checked_pipeline(), inputs).element_type is str
    estimate_build(checked_pipeline(), inputs)


def test_types_of_a_verification_fit(small_archives: Path, tmp_path: Path) -> None:
    assert build(small_archives, tmp_path, "--max_rejects=1").code == 0
    options = VerifyOptions(
        directory=str(dataset_dir(tmp_path)),
        images="header",
        config=None,
        overrides=ANY_NUMBERS,
        flags={"manual_dir": str(small_archives)},
        with_archives=True,
    )
    inputs = find_demands(options)
    assert inputs.archives is not None
    found = verify_dataset(checked_pipeline(), inputs, str(tmp_path), {})
    assert found.element_type is str
