"""`python -m stormwatch.engines.flink.job NAME …`: builds the job, starts it, waits for its end.

Started by `./stormwatch flink run` in the virtualenv that has apache-flink.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from stormwatch.adapters import connect
from stormwatch.engines.flink import plan, use_case
from stormwatch.engines.flink.log import Log, register
from stormwatch.engines.flink.operator import Decide
from stormwatch.errors import FatalError, PackageMissing, StormwatchError
from stormwatch.ingest.start import Subscription
from stormwatch.settings import Settings, load

try:
    from py4j.protocol import Py4JJavaError
    from pyflink.common import Configuration, Types
    from pyflink.datastream import StreamExecutionEnvironment
    from pyflink.java_gateway import get_gateway
    from pyflink.table import StreamTableEnvironment
except ImportError as error:
    raise PackageMissing(f"apache-flink is not installed here: {error}") from error

RUNNING = "deciding"
"""Printed once the job runs."""


def main(arguments: Sequence[str]) -> int:
    """The exit code. What it prints is for `./stormwatch flink run`."""
    asked = _asked(arguments)
    try:
        settings = load(root=Path.cwd())
        return _run(settings, asked)
    except StormwatchError as error:
        _say(f"error: {error}")
        return 1


def _asked(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="stormwatch.engines.flink.job")
    parser.add_argument("name", choices=use_case.NAMES)
    parser.add_argument("--checkpoints", type=Path, required=True, help="folder for checkpoints")
    parser.add_argument("--jar", required=True, help="of Flink's Kafka connector")
    parser.add_argument("--parallelism", type=int, default=1)
    parser.add_argument("--recorded", default="", help="keyspace of decisions to be told by")
    parser.add_argument("--jobmanager", default="", help="HOST:PORT of a cluster's REST")
    parser.add_argument("--interval", type=float, default=10.0, help="s between checkpoints")
    return parser.parse_args(arguments)


def _run(settings: Settings, asked: argparse.Namespace) -> int:
    case = use_case.of(settings, asked.name)  # what is wrong with the model is said here, once
    if others := use_case.recording(settings, asked.recorded):  # and what is with that keyspace
        others.close()
    with (
        closing(connect.source(settings, case.topic)) as source,
        closing(connect.store(settings)) as store,
    ):
        info = source.describe()
        folder = asked.checkpoints / (info.topic_id if info else "none")
        resumed = plan.newest(folder)
        subscription = Subscription(case.topic, settings.kafka_group, settings.expired)
        log = register(source, store, subscription, case.name, resumes=resumed is not None)
    built = _built(settings, asked, log, folder, resumed)
    ended = False

    def end(number: int, frame: object) -> None:
        nonlocal ended
        ended = True

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    # After that: a cluster would go on with a job that nobody waits for.
    try:
        job = built.execute_async(use_case.job_name(settings, case.name))
    except Py4JJavaError as error:
        raise FatalError(plan.cause(error)) from error
    _say(f"{RUNNING} from {resumed or 'the oldest record on'}")
    outcome = job.get_job_execution_result()
    while not ended and not outcome.done():
        time.sleep(0.5)
    if not ended:
        raise FatalError(plan.cause(outcome.exception()))
    job.cancel().result()
    return 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _built(
    settings: Settings, asked: argparse.Namespace, log: Log, folder: Path, resumed: Path | None
) -> Any:
    """The job, not started."""
    configuration = Configuration()
    told = plan.options(folder, resumed, asked.jar, asked.interval)
    if asked.jobmanager:
        told |= plan.on_cluster(asked.jobmanager, sys.executable, os.environ["PYTHONPATH"])
    for key, value in told.items():
        configuration.set_string(key, value)
    environment = _environment(configuration, on_cluster=bool(asked.jobmanager))
    environment.set_parallelism(asked.parallelism)
    tables = StreamTableEnvironment.create(environment)
    tables.execute_sql(plan.table(settings, log.topic))
    batches = tables.to_data_stream(tables.sql_query(plan.BATCHES))
    keyed = batches.key_by(lambda batch: batch[0], key_type=Types.INT())
    decided = keyed.process(
        Decide(settings, asked.name, log, asked.recorded), output_type=Types.STRING()
    )
    decided.name("decide").uid("decide")
    return environment


def _environment(configuration: Any, *, on_cluster: bool) -> Any:
    if not on_cluster:
        return StreamExecutionEnvironment.get_execution_environment(configuration)
    # That would be the mini cluster's in any case, whatever `execution.target` says.
    java = get_gateway().jvm.org.apache.flink.streaming.api.environment
    return StreamExecutionEnvironment(
        java.StreamExecutionEnvironment(configuration._j_configuration)
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
