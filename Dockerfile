# One image for every process of Cercles: `docker run cercles worker`, `… reader`, … It runs no broker and no Java
# program; those of docker-compose.yml have images of their own.

FROM python:3.13.9-slim-trixie AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/cercles
# What changes seldom first: these layers are kept as long as the lock file is.
COPY requirements.lock /src/
RUN /opt/cercles/bin/pip install --require-hashes -r /src/requirements.lock
COPY pyproject.toml README.md LICENSE /src/
COPY cercles /src/cercles
COPY producers /src/producers
COPY readers /src/readers
COPY schemas /src/schemas
COPY sinks /src/sinks
COPY stream_processors /src/stream_processors
RUN /opt/cercles/bin/pip install --no-deps --no-build-isolation /src

FROM python:3.13.9-slim-trixie
# Log lines at once; no bytecode, since the file system may be read-only.
ENV PATH=/opt/cercles/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin cercles \
    # A new volume takes its owner from the directory it is put over.
    && install --directory --owner=10001 /var/lib/cercles/checkpoints
COPY --from=build /opt/cercles /opt/cercles
USER 10001
WORKDIR /tmp
ENTRYPOINT ["cercles"]
