# A stand-in for apache/beam_python3.11_sdk:2.77.0, which tests/suites/container/make_base.sh
# builds: the same Debian, Python packages, boot and entry point. Python is Debian's 3.11.
# Left out are compilers, the one package that needs them (google-cloud-profiler), and the
# Google Cloud CLI.
FROM localhost/bookworm

# Puts python and pip where the published image has them.
RUN python3.11 -m venv /usr/local
COPY boot base_image_requirements.txt /opt/apache/beam/
RUN sed -i /google-cloud-profiler/d /opt/apache/beam/base_image_requirements.txt \
    && pip install --no-cache-dir --no-deps --prefer-binary \
        --requirement /opt/apache/beam/base_image_requirements.txt \
    && pip install --no-cache-dir --no-deps apache-beam==2.77.0 \
    && pip check
ENTRYPOINT ["/opt/apache/beam/boot"]
