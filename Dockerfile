# Three images. `worker`: what runs a topology's components. `system`: Kafka, Cassandra, ZooKeeper and
# Storm, each started by its name. `operator`: the commands, the page and the API; it is the default.
# docs/on-containers.md
#   docker build -t stormwatch .                              docker build --target worker -t stormwatch-worker .
ARG BASE=docker.io/library/python:3.11-slim-bookworm

# Byte code is made here once: the images run read-only, where each process would make it anew.
FROM ${BASE} AS made
WORKDIR /opt/stormwatch
COPY constraints.txt requirements.txt ./
COPY virtualenvs virtualenvs
RUN python3 -m venv workers \
    && workers/bin/python -m pip install --no-cache-dir --no-compile --disable-pip-version-check \
        -c constraints.txt -r virtualenvs/fraud.txt -r virtualenvs/maintenance.txt \
        -r virtualenvs/social.txt -r virtualenvs/recommend.txt \
    && workers/bin/python -m pip uninstall -y --disable-pip-version-check pip \
    && workers/bin/python -m compileall -q -x '/(tests?|Cython|setuptools)/' workers/lib

FROM made AS made-for-operators
RUN python3 -m venv operators \
    && operators/bin/python -m pip install --no-cache-dir --no-compile --disable-pip-version-check \
        -c constraints.txt -r requirements.txt \
    && operators/bin/python -m pip uninstall -y --disable-pip-version-check pip \
    && operators/bin/python -m compileall -q -x '/(tests?|Cython|setuptools)/' operators/lib
# Our source is on the path of our own programs alone: a component's is its topology's jar.
RUN rm -f operators/bin/sparse \
    && for each in stormwatch=apps.cli sparse=apps.local.storm.sparse service=apps.local.services.alone; do \
        printf '#!/bin/sh\nPYTHONPATH=/app:/app/src exec /opt/stormwatch/operators/bin/python -m %s "$@"\n' \
            "${each#*=}" > "operators/bin/${each%%=*}" && chmod 755 "operators/bin/${each%%=*}"; \
    done

FROM ${BASE} AS base
RUN useradd --uid 10001 --no-create-home --home-dir /app --shell /usr/sbin/nologin stormwatch \
    && install -d -o 10001 /data
# Logs and the like go below /tmp, so that all else may be read-only.
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 STORMWATCH_RUN_DIR=/tmp/stormwatch
LABEL org.opencontainers.image.vendor="Stormwatch" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.documentation="docs/on-containers.md"

# All of ours, with its byte code: of the images below.
FROM base AS program
WORKDIR /app
COPY config.json project.clj constraints.txt requirements.txt ./
COPY virtualenvs virtualenvs
COPY schema schema
COPY src src
COPY topologies topologies
COPY apps apps
RUN python3 -m compileall -q src topologies apps

FROM base AS worker
LABEL org.opencontainers.image.title="stormwatch-worker" \
      org.opencontainers.image.description="Python side of a Storm worker"
WORKDIR /app/src
COPY --from=made /opt/stormwatch/workers /opt/stormwatch/workers
COPY apps/build/sbom.py /opt/stormwatch/sbom.py
COPY src .
COPY topologies topologies
ENV PATH=/opt/stormwatch/workers/bin:$PATH
RUN python -m compileall -q . \
    && python /opt/stormwatch/sbom.py stormwatch-worker > /opt/stormwatch/sbom.cdx.json
USER 10001
CMD ["python", "-c", "import bolts.fraud, spouts.transactions; print('ready: a supervisor starts its components')"]

# The jars that project.clj names, and no others.
FROM ${BASE} AS jars
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends maven default-jre-headless \
    && rm -rf /var/lib/apt/lists/*
COPY --from=made-for-operators /opt/stormwatch/operators /opt/stormwatch/operators
WORKDIR /app
COPY project.clj ./
COPY src src
COPY apps apps
# user.home: where Maven's store is, for any user to read.
RUN MAVEN_OPTS=-Duser.home=/opt/stormwatch /opt/stormwatch/operators/bin/service jars \
    && cat .stormwatch/jars/*.jars > kept \
    && find /opt/stormwatch/.m2 -type f ! -name '*.jar' -delete \
    && find /opt/stormwatch/.m2 -name '*.jar' > there && grep -vxFf kept there > left \
    && xargs -a left rm -f \
    && find /opt/stormwatch/.m2 -type d -empty -delete

FROM base AS system
LABEL org.opencontainers.image.title="stormwatch-system" \
      org.opencontainers.image.description="Kafka, Cassandra, ZooKeeper, Nimbus or a supervisor"
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends openjdk-17-jre-headless \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=jars /opt/stormwatch/.m2 /opt/stormwatch/.m2
COPY --from=jars /app/.stormwatch/jars .stormwatch/jars
COPY --from=made-for-operators /opt/stormwatch/operators /opt/stormwatch/operators
COPY --from=program /app /app
ENV PATH=/opt/stormwatch/operators/bin:$PATH HOME=/tmp
RUN python apps/build/sbom.py stormwatch-system > /opt/stormwatch/sbom.cdx.json
USER 10001
ENTRYPOINT ["service"]
CMD ["kafka"]

FROM base AS operator
LABEL org.opencontainers.image.title="stormwatch" \
      org.opencontainers.image.description="Commands, live page and API of Stormwatch"
WORKDIR /app
COPY --from=made-for-operators /opt/stormwatch/operators /opt/stormwatch/operators
COPY --from=program /app /app
ENV PATH=/opt/stormwatch/operators/bin:$PATH
RUN python apps/build/sbom.py stormwatch > /opt/stormwatch/sbom.cdx.json
USER 10001
EXPOSE 8765
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8765/healthz', timeout=4)"]
ENTRYPOINT ["stormwatch"]
CMD ["demo"]
