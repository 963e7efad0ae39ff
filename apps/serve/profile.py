"""One customer or machine: what is remembered of it, and what was decided of late."""

from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from apps.operate.domains import MAKE
from apps.operate.forget import forget
from apps.operate.missing import NotFound
from apps.operate.rollout import view
from apps.serve import answers
from apps.serve.reader import DAY_MS, DAYS, LIMIT, Domain, Entity, Reader, known, summary
from apps.serve.route import Asker, Nothing, Route
from stormwatch.partitioner import stripe_of
from stormwatch.people import OPERATOR
from stormwatch.records import day_of
from stormwatch.state.envelope import EnvelopeCodec


class OneEntity(msgspec.Struct, forbid_unknown_fields=True):
    """Parameters of a profile."""

    domain: Domain
    entity: Entity
    days: Annotated[int, Meta(ge=1, le=DAYS, description="Days to look back.")] = 31


class OneDomain(msgspec.Struct, forbid_unknown_fields=True):
    """Parameters of what is of a whole domain."""

    domain: Domain


class Forget(msgspec.Struct, forbid_unknown_fields=True):
    """Whom to forget."""

    domain: Domain
    entity: Entity


class OneDay(msgspec.Struct, forbid_unknown_fields=True):
    """Parameters of the audit log."""

    ago: Annotated[int, Meta(ge=0, le=3_660, description="Days ago; 0 is today, UTC.")] = 0
    limit: Annotated[int, Meta(ge=1, le=LIMIT, description="Rows at most.")] = 100


def profiles(reader: Reader, clock: Callable[[], int]) -> list[Route]:
    """The routes."""
    codec = cache(lambda domain: _codec(reader, domain))

    def profile(asked: OneEntity) -> answers.Profile:
        known(asked.domain)
        stripe = stripe_of(asked.entity, reader.settings.layout_stripes)
        state = reader.archive.find_state(asked.domain, stripe, asked.entity)
        if state is None:
            raise NotFound(
                f"{asked.domain} remembers nothing of {asked.entity!r}. Alerts name the entities "
                "that there are."
            )
        envelope = codec(asked.domain).decode(state.blob, asked.entity)
        since = envelope.newest - asked.days * DAY_MS
        before = (envelope.newest + 1, "")
        rows = reader.archive.decisions_of(asked.domain, stripe, asked.entity, since, before, LIMIT)
        outcomes = Counter(row.outcome for row in rows)
        return answers.Profile(
            asked.domain, asked.entity, envelope.newest, len(state.blob),
            _fields(envelope.body), dict(outcomes), sum(row.alert for row in rows),
            len(rows) == LIMIT, [summary(asked.domain, row) for row in rows[:20]],
        )  # fmt: skip

    def audits(asked: OneDay) -> answers.Audits:
        return answers.Audits(reader.archive.audit(day_of(clock()) - asked.ago, asked.limit))

    def forgetting(_: Nothing, body: Forget, by: Asker) -> answers.Forgotten:
        known(body.domain)
        done = forget(reader.settings, reader.archive, body.domain, body.entity, by.who, clock())
        return answers.Forgotten(*done)

    def versions(asked: OneDomain) -> view.InForce:
        known(asked.domain)
        return view.view(reader.settings, reader.archive, asked.domain, clock())

    return [
        Route("/v1/versions", OneDomain, view.InForce,
              "Rules and model of a domain that are in force, and how often each rule fired.",
              versions),
        Route("/v1/entity", OneEntity, answers.Profile,
              "What is remembered of a customer or machine, and its newest decisions.", profile),
        Route("/v1/forget", Nothing, answers.Forgotten, "Erase all that is stored of a customer or "
              "machine.", forgetting, method="POST", body=Forget, role=OPERATOR),
        Route("/v1/audit", OneDay, answers.Audits, "Writes of a day by people and programs, newest "
              "first; refused ones too.", audits, role=OPERATOR),
        Route("/v1/components", Nothing, list[answers.Measured],
              "What each process of the topologies says of itself.",
              lambda _: _measured(reader, clock())),
    ]  # fmt: skip


def _codec(reader: Reader, domain: str) -> EnvelopeCodec[Any]:
    made = MAKE[domain](reader.settings)
    return EnvelopeCodec(type(made.new_state()), made.new_state)


def _fields(body: Any) -> dict[str, Any]:
    names = getattr(body, "__struct_fields__", ())
    return {name: msgspec.to_builtins(getattr(body, name)) for name in names}


def _measured(reader: Reader, now: int) -> list[answers.Measured]:
    from apps.data.streams import every
    from apps.operate.figures import measured

    return [
        answers.Measured(stream.topology, component, instance, now - m.at, m.host, m.pid,
                         m.batches, m.failed, m.cached, m.hits, m.misses, m.resident, m.started,
                         m.spent, m.sizes)
        for stream in every(reader.settings)
        for (component, instance), m in measured(reader.archive.meters(stream.topology))
    ]  # fmt: skip
