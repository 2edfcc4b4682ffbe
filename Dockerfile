# Two images from one file: the pipeline's (`--target pipeline`) and, last and default, the service's.
FROM python:3.13-slim-bookworm AS base

FROM base AS installer
WORKDIR /app
COPY requirements/installer.txt requirements/
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv --without-pip .venv \
    && python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/installer.txt

FROM installer AS training-packages
COPY requirements/pipeline.txt requirements/
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --python .venv/bin/python --link-mode=copy --compile-bytecode --require-hashes \
        -r requirements/pipeline.txt

FROM base AS pipeline
LABEL org.opencontainers.image.title="iris-api-pipeline"
# DVC asks for the name of its user, which a number has not.
ENV PATH=/app/.venv/bin:$PATH \
    HOME=/tmp \
    LOGNAME=pipeline \
    PYTHONUNBUFFERED=1 \
    DO_NOT_TRACK=1 \
    DVC_NO_ANALYTICS=1 \
    MLFLOW_DISABLE_TELEMETRY=true \
    ORT_DISABLE_TELEMETRY=1
WORKDIR /app
COPY --from=training-packages /app/.venv .venv
COPY --chown=10001:10001 functions functions
COPY --chown=10001:10001 pipeline pipeline
COPY --chown=10001:10001 data/raw data/raw
COPY --chown=10001:10001 champion champion
COPY --chown=10001:10001 params.yaml dvc.yaml .dvcignore ./
COPY --chown=10001:10001 .dvc/config .dvc/
# The stages write beside the code; without Git, DVC has to be told that there is none.
RUN dvc config --local core.no_scm true && chown -R 10001:10001 /app/.dvc && chown 10001:10001 /app
USER 10001:10001
CMD ["dvc", "repro"]

FROM installer AS serving-packages
COPY requirements/serving.txt requirements/
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --python .venv/bin/python --link-mode=copy --require-hashes -r requirements/serving.txt
# What the service can't reach: the framework behind the documentation pages' assets (docs/adr/0003); the packages'
# own tests, stubs and headers; onnxruntime's tools, and its second copy, which is for programs in C.
RUN uv pip uninstall --quiet --python .venv/bin/python \
        annotated-types flask-openapi3 pydantic pydantic-core typing-inspection \
    && find .venv -depth -regextype posix-extended \( \
        -type d -regex '.*/tests' -o \
        -type d -regex '.*/numpy/(_pyinstaller|f2py|testing)' -o \
        -type d -regex '.*/onnxruntime/(backend|datasets|quantization|tools|transformers)' -o \
        -type f -regex '.*/libonnxruntime\.so\..*' -o \
        -type f -regex '.*\.(a|c|h|pxd|pyi|pyx)' \
    \) -exec rm -r {} +

# The byte code of all that serving may import, the standard library included: a read-only container can't keep what it
# compiles, and the base has none. It holds whatever the files' times are, since caches and registries change those; and
# only for the same text of our own code, so that another can be mounted.
FROM serving-packages AS compiled
COPY functions functions
ENV PYTHONPYCACHEPREFIX=/app/bytecode
RUN .venv/bin/python -B -c "import multiprocessing.popen_fork, sys, functions.app, functions.server, onnxruntime; \
        from google.cloud import secretmanager, storage; \
        print(*{str(getattr(module, '__file__', '')) for module in sys.modules.values()}, sep='\n')" > modules \
    && .venv/bin/python -m compileall -q --invalidation-mode unchecked-hash -i modules \
    && .venv/bin/python -m compileall -q --invalidation-mode checked-hash -f functions

FROM base
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPYCACHEPREFIX=/app/bytecode \
    ORT_DISABLE_TELEMETRY=1 \
    HOST=0.0.0.0 \
    PORT=8000
WORKDIR /app
COPY --from=serving-packages /app/.venv .venv
COPY --from=compiled /app/bytecode bytecode
COPY functions functions
# Last, so that another model changes one small layer.
COPY models models
USER 10001:10001
EXPOSE 8000
# The shell's own sockets: starting Python six times a minute would cost more than serving does.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/$PORT && printf 'GET /health/ready HTTP/1.0\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [ $status = 200 ]"]
CMD ["python", "-m", "functions.server"]
ARG VERSION=development
ARG REVISION=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="iris-api" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
