# Labelyard's images, docs/how-to/containers.md:
#
#     docker build --target cpu --tag labelyard:cpu .
#     docker build --target gpu --tag labelyard:gpu .
#
# They run as user 10001, write below /state, /keras, /uploads and /tmp alone, and have neither compiler nor pip.
# The base is pinned by its exact version; pin it by digest where you have pulled one that you trust:
# --build-arg PYTHON=3.12.13-slim-bookworm@sha256:...
ARG PYTHON=3.12.13-slim-bookworm

# Labelyard as a wheel. No compiler: all that is locked comes as wheels, too.
FROM python:${PYTHON} AS wheel
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /source
COPY deploy/docker/requirements-build.lock ./
RUN pip install --require-hashes --requirement requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY core/ core/
COPY db/ db/
COPY workers/ workers/
COPY orchestrator/ orchestrator/
RUN python -m hatchling build --target wheel --directory /dist

# Everything that Labelyard needs, in a folder that the last stages copy as a whole.
FROM python:${PYTHON} AS installed-cpu
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv --without-pip /opt/labelyard
WORKDIR /source
COPY deploy/docker/requirements-cpu.lock ./
RUN pip --python /opt/labelyard install --require-hashes --only-binary :all: --requirement requirements-cpu.lock
COPY --from=wheel /dist/ ./dist/
RUN pip --python /opt/labelyard install --no-deps --no-index dist/*.whl

# The same with CUDA's libraries, which TensorFlow finds beside itself; the machine brings the driver.
FROM installed-cpu AS installed-gpu
COPY deploy/docker/requirements-gpu.lock ./
RUN pip --python /opt/labelyard install --require-hashes --only-binary :all: --requirement requirements-gpu.lock

# What both images share.
FROM python:${PYTHON} AS base
RUN pip uninstall --yes --root-user-action=ignore pip \
    && groupadd --gid 10001 labelyard \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin labelyard \
    && install --directory --owner=10001 --group=10001 --mode=0750 /state /keras /uploads /sources
ENV PATH=/opt/labelyard/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    LABELYARD_HOME=/state \
    LABELYARD_UPLOADS=/uploads \
    LABELYARD_SOURCE_ROOTS=/sources,/uploads \
    LABELYARD_LOG_FORMAT=json \
    LABELYARD_LOG_LEVEL=INFO \
    KERAS_HOME=/keras
COPY deploy/docker/health.py deploy/docker/migrate.py deploy/flower/flowerconfig.py /opt/labelyard/share/
WORKDIR /state
USER 10001:10001
EXPOSE 8600
# The orchestrator's; a worker shows its figures elsewhere, see docker-compose.yml.
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 \
    CMD ["python", "/opt/labelyard/share/health.py", "http://127.0.0.1:8600/healthz"]
CMD ["labelyard", "serve", "--listen", "0.0.0.0:8600"]

FROM base AS gpu
COPY --from=installed-gpu /opt/labelyard/ /opt/labelyard/
ENV LABELYARD_DEVICE=gpu

# Last, so that it is what `docker build .` makes.
FROM base AS cpu
COPY --from=installed-cpu /opt/labelyard/ /opt/labelyard/
ENV LABELYARD_DEVICE=cpu
