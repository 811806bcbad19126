"""The report on a dataset: plots, tables and pictures in one page of HTML."""

from typing import TYPE_CHECKING

from transforms.doors import lazy

if TYPE_CHECKING:
    from transforms.documents.report.pictures import first_examples, review_dataset
else:
    __getattr__ = lazy(__name__)

__all__ = [
    "first_examples",
    "review_dataset",
]
