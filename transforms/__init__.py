"""The steps that turn image archives into a sharded dataset, one module a step.

Each module holds plain functions that do the work and know no Beam and, beneath
them, the thin PTransform that runs them. Imports go from later steps to earlier
ones only; ``tests/test_imports.py`` keeps it so.
"""
