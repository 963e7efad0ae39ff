# Two images. `worker`: what runs a topology's components. `operator`: the commands, the page and the
# API; it is the default. docs/on-containers.md
#   docker build -t stormwatch .                              docker build --target worker -t stormwatch-worker .
ARG BASE=docker.io/library/python:3.11-slim-bookworm

FROM ${BASE} AS made
WORKDIR /opt/stormwatch
COPY constraints.txt requirements.txt ./
COPY virtualenvs virtualenvs
RUN python3 -m venv workers \
    && workers/bin/python -m pip install --no-cache-dir --no-compile --disable-pip-version-check \
        -c constraints.txt -r virtualenvs/fraud.txt -r virtualenvs/maintenance.txt \
        -r virtualenvs/social.txt -r virtualenvs/recommend.txt \
    && workers/bin/python -m pip uninstall -y --disable-pip-version-check pip

FROM made AS made-for-operators
RUN python3 -m venv operators \
    && operators/bin/python -m pip install --no-cache-dir --no-compile --disable-pip-version-check \
        -c constraints.txt -r requirements.txt \
    && operators/bin/python -m pip uninstall -y --disable-pip-version-check pip

FROM ${BASE} AS base
RUN useradd --uid 10001 --no-create-home --home-dir /app --shell /usr/sbin/nologin stormwatch
# Logs and the like go below /tmp, so that all else may be read-only.
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PYTHONPATH=/app:/app/src \
    STORMWATCH_RUN_DIR=/tmp/stormwatch
WORKDIR /app

FROM base AS worker
LABEL org.opencontainers.image.title="stormwatch-worker" \
      org.opencontainers.image.description="Python side of a Storm worker"
COPY --from=made /opt/stormwatch/workers /opt/stormwatch/workers
COPY src src
COPY topologies topologies
ENV PATH=/opt/stormwatch/workers/bin:$PATH
USER 10001
CMD ["python", "-c", "import bolts.fraud, spouts.transactions; print('ready: a supervisor starts its components')"]

FROM base AS operator
LABEL org.opencontainers.image.title="stormwatch" \
      org.opencontainers.image.description="Commands, live page and API of Stormwatch"
COPY --from=made-for-operators /opt/stormwatch/operators /opt/stormwatch/operators
COPY config.json project.clj constraints.txt requirements.txt ./
COPY virtualenvs virtualenvs
COPY schema schema
COPY src src
COPY topologies topologies
COPY apps apps
ENV PATH=/opt/stormwatch/operators/bin:$PATH
USER 10001
EXPOSE 8765
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8765/healthz', timeout=4)"]
ENTRYPOINT ["python", "-m", "apps.cli"]
CMD ["demo"]
