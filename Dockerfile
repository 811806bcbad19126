# The image that Dataflow and Flink workers run, and that builds a dataset by itself:
#   docker run --entrypoint python IMAGE -m beam_pipeline.run --config 1pct ...
FROM apache/beam_python3.11_sdk:2.77.0

WORKDIR /pipeline
COPY pyproject.toml setup.py README.md ./
COPY beam_pipeline ./beam_pipeline
COPY transforms ./transforms
COPY configs ./configs
RUN pip install --no-cache-dir . && pip check

# Beam's boot would otherwise make an environment of its own, without the project.
ENV RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1
ENTRYPOINT ["/opt/apache/beam/boot"]
