"""What Beam measures for nobody is left out, and values stay as they are."""

from fractions import Fraction
from typing import NoReturn

import apache_beam as beam
import pytest
from apache_beam import coders
from apache_beam.internal import cloudpickle_pickler

from beam_pipeline.engines.measuring import PickledCoder
from beam_pipeline.engines.runners import make_options, make_pipeline


class Heavy:
    """A value that cannot be pickled: whoever wants its size tries."""

    def __reduce__(self) -> NoReturn:
        raise AssertionError("it was pickled")


def make_heavy(_: int) -> Heavy:
    return Heavy()


def forget(_: Heavy) -> None:
    """Takes a value that no other step gets."""


def test_values_within_a_stage_are_not_pickled_for_their_size() -> None:
    pipeline = make_pipeline(make_options(["--direct_num_workers=1"]))
    numbers = pipeline | beam.Create([1, 2, 3])
    _ = numbers | beam.Map(make_heavy) | beam.Map(forget)
    pipeline.run()


@pytest.mark.parametrize("value", [3, "a name", (1, [Fraction(1, 3)]), {"a": None}])
def test_values_are_encoded_as_beam_encodes_them(value: object) -> None:
    encoded = PickledCoder().encode(value)
    assert PickledCoder().decode(encoded) == value
    assert coders.FastPrimitivesCoder().decode(encoded) == value


class Refusing:
    """In place of ``bz2``: nothing is to be compressed or unpacked."""

    def compress(self, data: bytes, compresslevel: int) -> NoReturn:
        raise AssertionError("it was compressed")


def test_the_steps_of_a_local_run_are_not_compressed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refusing = Refusing()
    monkeypatch.setattr(cloudpickle_pickler, "bz2", refusing)
    pipeline = make_pipeline(make_options(["--direct_num_workers=1"]))
    name = "a name" * 1000
    _ = pipeline | beam.Create([1, 2]) | beam.Map(lambda number: number * len(name))
    pipeline.run()
    # Other engines, whose workers know nothing of this, still get them compressed.
    assert cloudpickle_pickler.bz2 is refusing
    with pytest.raises(AssertionError, match="compressed"):
        cloudpickle_pickler.dumps(name)
