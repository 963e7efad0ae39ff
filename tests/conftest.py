"""Session fixtures: a real Kafka and a real Cassandra on free ports, ended with the session."""

import os
import signal
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import Phase
from xdist.scheduler import LoadFileScheduling

from apps.local.services import cassandra as cassandra_service
from apps.local.services import kafka as kafka_service
from apps.local.services import manage, ports, registry
from apps.local.services.home import Home, Progress, silent
from apps.local.services.plan import ServicePlan
from stormwatch.settings import Settings

pytest_plugins = ("stormwatch.testing.plugin",)

ROOT = Path(__file__).resolve().parents[1]
WITH_SERVICES = (
    "tests/e2e/", "tests/contracts/", "tests/conformance/",
    "tests/components/test_reader_kafka.py", "tests/components/test_logs.py",
)  # fmt: skip
"""Where tests are that start or meet real services."""
WITH_THEIR_OWN = (
    "tests/conformance/", "tests/contracts/test_kafka_outage.py",
    "tests/contracts/test_store_cassandra_killed.py", "tests/e2e/test_compose.py",
    "tests/e2e/test_container.py",
    "tests/e2e/test_java.py",
    "tests/e2e/test_run_whole.py", "tests/e2e/test_services.py",
    "tests/e2e/test_services_cluster.py", "tests/e2e/test_services_storm.py",
    "tests/e2e/test_systems.py",
)  # fmt: skip
"""Those among them that start services of their own, or Storm alone."""
_SHARED = {"kafka", "cassandra", "services"}

Unique = Callable[[str], str]


def pytest_configure(config: pytest.Config) -> None:
    """A terminated test run ends its services as a finished one does.

    JVMs that live for a minute start with half the work when they only compile quickly, and the
    many commands that tests start need not compile all modules each time, which they do where the
    environment forbids to keep byte code.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated", returncode=143))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """With `-n 2` whole files run beside each other, and all that shares services on one worker.

    In the order of collection: one worker begins with what shares services, the other with what
    has its own, and the many small files fill both up to the end.
    """
    config.option.loadscopereorder = False
    return _Sharing(config, log)


class _Sharing(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return "services" if _place(file) == 0 else file


def _place(file: str) -> int:
    """0 with the session's services, 1 with its own, 2 without any."""
    if file.startswith(WITH_THEIR_OWN):
        return 1
    return 0 if file.startswith(WITH_SERVICES) else 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with services first. Raises UsageError where one is not listed that shares them."""
    for item in items:
        chosen = item.callspec.params if hasattr(item, "callspec") else {}
        used = _SHARED & set(getattr(item, "fixturenames", ())) - set(chosen)
        if used and _place(item.nodeid):
            raise pytest.UsageError(
                f"{item.nodeid} uses the session's {', '.join(sorted(used))}: two workers would "
                "start them. Name its file in WITH_SERVICES of tests/conftest.py."
            )
    items.sort(key=lambda item: _place(item.nodeid))


@pytest.fixture(scope="session")
def services_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Run directory of this session's services; whatever was started in it ends with it."""
    home = Home(ROOT, tmp_path_factory.mktemp("run"), ROOT / ".stormwatch" / "jars")
    yield home
    with registry.locked(home):
        manage.halt(home, list(registry.read(home)), silent)


_QUICK_TABLES = "-Dcassandra.test.flush_local_schema_changes=false"
"""Of Cassandra: a table that is made is kept in memory, as its own tests have it. The tables of a
keyspace take a fraction of the time, and nearly every module makes some. A kill -9 loses them: who
kills brings a Cassandra of his own, or restarts this one in order before."""


def _ours(
    plan: Callable[..., ServicePlan], *options: str, **chosen: int
) -> Callable[[Home, Progress], ServicePlan]:
    """A plan on these ports; a test run that is killed takes its services along."""

    def ours(home: Home, progress: Progress) -> ServicePlan:
        made = plan(home, progress, **chosen)
        java, *rest = made.command
        return replace(made, command=[java, *options, *rest], with_parent=True)

    return ours


@pytest.fixture(scope="session")
def kafka(services_home: Home) -> Settings:
    """Settings that lead to this session's Kafka."""
    broker = ports.free()
    plan = _ours(kafka_service.plan, broker=broker, controller=ports.free(taken=[broker]))
    entries = manage.ensure(services_home, {kafka_service.NAME: plan}, silent)
    return manage.with_entries(Settings(run_dir=str(services_home.run_dir)), entries)


@pytest.fixture(scope="session")
def cassandra(services_home: Home) -> Settings:
    """Settings that lead to this session's Cassandra."""
    native = ports.free()
    storage = ports.free(taken=[native])
    plan = _ours(cassandra_service.plan, _QUICK_TABLES, native=native, storage=storage)
    entries = manage.ensure(services_home, {cassandra_service.NAME: plan}, silent)
    return manage.with_entries(Settings(run_dir=str(services_home.run_dir)), entries)


@pytest.fixture(scope="session")
def services(kafka: Settings, cassandra: Settings) -> Settings:
    """Settings that lead to both."""
    return replace(
        kafka,
        cassandra_contact_points=cassandra.cassandra_contact_points,
        cassandra_port=cassandra.cassandra_port,
    )


@pytest.fixture(scope="session")
def unique() -> Unique:
    """Names that no other test has, good for topics, groups and keyspaces."""
    return lambda name: f"{name}_{uuid.uuid4().hex[:10]}"


# A busy machine is no defect: no deadline for one example; a failure prints how to repeat it.
hypothesis.settings.register_profile("stormwatch", deadline=None, print_blob=True)
# Where only whether a test fails is asked, the smallest example is not looked for.
hypothesis.settings.register_profile(
    "mutants", deadline=None, database=None, phases=(Phase.explicit, Phase.generate)
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "stormwatch"))
