"""The documents that make published shards a dataset."""

from transforms.documents.card import size_text
from transforms.documents.facts import (
    DatasetFacts,
    License,
    config_facts,
    document_facts,
)
from transforms.documents.hub import config_sizes, data_files
from transforms.documents.manifest import (
    SHARED,
    Manifest,
    decode_manifest,
    refuted_files,
)
from transforms.documents.pages import page_uris
from transforms.documents.tfds import split_documents

__all__ = [
    "SHARED",
    "DatasetFacts",
    "License",
    "Manifest",
    "config_facts",
    "config_sizes",
    "data_files",
    "decode_manifest",
    "document_facts",
    "page_uris",
    "refuted_files",
    "size_text",
    "split_documents",
]
