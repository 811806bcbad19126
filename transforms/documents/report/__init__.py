"""The report on a dataset: plots, tables and pictures in one page of HTML."""

from transforms.documents.report.pictures import first_examples, review_dataset

__all__ = [
    "first_examples",
    "review_dataset",
]
