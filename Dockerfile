ARG BASE=python:3.13-slim-bookworm

# The locked packages of the serving side, in a virtual environment that the next stage takes over.
FROM ${BASE} AS packages
WORKDIR /app
COPY requirements/installer.txt requirements/serving.txt requirements/
RUN --mount=type=cache,target=/root/.cache \
    python -m venv --without-pip .venv \
    && python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/installer.txt \
    && uv pip install --python .venv/bin/python --link-mode=copy --require-hashes -r requirements/serving.txt
COPY functions functions
# Importing once compiles what serving imports and nothing else: a read-only container can't do it later.
RUN .venv/bin/python -c "import functions.app, functions.server, onnxruntime"

FROM ${BASE}
ARG VERSION=development
ARG REVISION=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="iris-api" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ORT_DISABLE_TELEMETRY=1 \
    HOST=0.0.0.0 \
    PORT=8000
WORKDIR /app
COPY --from=packages /app/.venv .venv
COPY --from=packages /app/functions functions
# Last, so that another model changes one small layer.
COPY models models
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/health/ready', timeout=2)"]
CMD ["python", "-m", "functions.server"]
