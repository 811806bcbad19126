# One image that builds datasets by itself, serves as a pool of workers for Flink and
# Spark, and runs Dataflow's workers: docs/running/container.md.
# Whoever submits a job to it needs the same minor version of Python:
#   docker build --build-arg PYTHON=3.12 --tag imagenet2012_subset:python3.12 .
ARG PYTHON=3.11
FROM docker.io/apache/beam_python${PYTHON}_sdk:2.77.0
ARG PYTHON

LABEL org.opencontainers.image.title="imagenet2012-subset-beam" \
      org.opencontainers.image.description="Builds imagenet2012_subset from the ILSVRC2012 archives" \
      org.opencontainers.image.version="0.3.0" \
      org.opencontainers.image.base.name="docker.io/apache/beam_python${PYTHON}_sdk:2.77.0"

COPY . /opt/imagenet2012_subset
RUN cd /opt/imagenet2012_subset \
    && pip install --no-cache-dir --constraint constraints.txt '.[array-record,gcp]' \
    && rm -rf build *.egg-info \
    && pip check

# Whoever runs the image, by --user too, has a home to write to; datasets go to /data.
RUN useradd --uid 1000 beam \
    && install --directory --owner beam --group beam --mode 1777 /home/beam /data
ENV HOME=/home/beam TFDS_DATA_DIR=/data
WORKDIR /home/beam

# Workers run in the image's own environment. Beam's boot would otherwise make another
# on top of it for each worker, which takes seconds, and root.
ENV RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1
# Google's libraries remark on Python 3.11's end of life, eight lines in every log.
ENV PYTHONWARNINGS="ignore:You are using a Python version:FutureWarning"

# Python leaves a job as for Ctrl-C, and says so; SIGTERM does nothing to process 1.
STOPSIGNAL SIGINT
# A pool of workers has to answer. A batch job is healthy while it runs.
HEALTHCHECK --start-period=30s --timeout=10s \
  CMD ! grep -q worker_pool /proc/1/cmdline \
      || python -c "import socket; socket.create_connection(('localhost', 50000), 5)"
ENTRYPOINT ["/opt/imagenet2012_subset/deploy/container/entrypoint.sh"]
