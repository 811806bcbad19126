"""The documents that make published shards a dataset."""

from typing import TYPE_CHECKING

from transforms.doors import lazy

if TYPE_CHECKING:
    from transforms.documents.facts import (
        DatasetFacts,
        Description,
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
else:
    __getattr__ = lazy(__name__)

__all__ = [
    "SHARED",
    "DatasetFacts",
    "Description",
    "Manifest",
    "config_facts",
    "config_sizes",
    "data_files",
    "decode_manifest",
    "document_facts",
    "page_uris",
    "refuted_files",
    "split_documents",
]
