"""What a person does about an alert: acknowledge, comment, assign, snooze, label. Each change is
conditional on the version that the person saw, and stands in the audit log, refused or not.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from secrets import token_hex
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from apps.operate import label as labels
from apps.operate.missing import NotFound
from stormwatch.adapters import connect
from stormwatch.archive import Archive
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud.event import LABELS
from stormwatch.errors import SettingsError, StormwatchError
from stormwatch.partitioner import stripe_of
from stormwatch.people import (
    ACKNOWLEDGED,
    BEGUN,
    CLOSED,
    DONE,
    OPEN,
    Act,
    AlertKey,
    Audit,
    People,
    Work,
)
from stormwatch.records import Decision, DecisionKey
from stormwatch.settings import Settings

ACTS = 500
"""Of one alert at most."""
TEXT = 2_000
"""Characters of a comment."""
SNOOZE_MS = 30 * 86_400_000
"""At most."""
_decision = msgspec.json.Decoder(Decision).decode


class Overtaken(StormwatchError):
    """Somebody was quicker; `work` is what stands now."""

    def __init__(self, work: Work) -> None:
        last = work.acts[-1] if work.acts else Act(0, "nobody", "nothing")
        super().__init__(
            f"{last.who} was quicker ({last.act}, version {work.version}). Look at what stands "
            "now, then decide again."
        )
        self.work = work


class Who(NamedTuple):
    """Who acts, with which right, from where."""

    name: str
    role: str
    origin: str


@contextmanager
def audited(
    people: People, who: Who, act: str, target: str, detail: str, now: int
) -> Iterator[None]:
    """A row of the audit log before the act and, once it is known, with what became of it.

    Without the first row nothing is done: raises StoreUnavailable.
    """
    row = Audit(now, token_hex(8), who.name, who.role, who.origin, act, target, detail, BEGUN)
    people.write_audit(row)
    try:
        yield
    except StormwatchError as error:
        people.write_audit(replace(row, outcome=f"refused: {str(error)[:300]}"))
        raise
    people.write_audit(replace(row, outcome=DONE))


class Desk(NamedTuple):
    """Where alerts are worked on. All raise InfrastructureError; Overtaken where the version that
    was seen no longer stands; NotFound; SettingsError for what cannot be meant."""

    archive: Archive
    settings: Settings
    clock: Callable[[], int]

    def work(self, domain: str, key: AlertKey) -> Work:
        """How the alert stands."""
        self._decision(domain, key)
        return self.archive.work(domain, key)

    def acknowledge(self, domain: str, key: AlertKey, who: Who, seen: int | None) -> Work:
        """Somebody looks at it."""
        return self._change(domain, key, who, seen, "acknowledge", "", status=ACKNOWLEDGED)

    def reopen(self, domain: str, key: AlertKey, who: Who, seen: int | None) -> Work:
        """Nobody looks at it any more: undoes `acknowledge`, `close` and `snooze`."""
        return self._change(domain, key, who, seen, "reopen", "", status=OPEN, snoozed_until=0)

    def close(self, domain: str, key: AlertKey, who: Who, seen: int | None) -> Work:
        """Nothing more is to be done."""
        return self._change(domain, key, who, seen, "close", "", status=CLOSED)

    def comment(self, domain: str, key: AlertKey, who: Who, seen: int | None, text: str) -> Work:
        """Say something about it."""
        return self._change(domain, key, who, seen, "comment", text)

    def assign(self, domain: str, key: AlertKey, who: Who, seen: int | None, to: str) -> Work:
        """Hand it to somebody; to nobody where `to` is empty."""
        return self._change(domain, key, who, seen, "assign", to, assignee=to)

    def snooze(self, domain: str, key: AlertKey, who: Who, seen: int | None, until: int) -> Work:
        """Leave it until then (ms); 0 wakes it."""
        now = self.clock()
        if until and not now < until <= now + SNOOZE_MS:
            raise SettingsError(
                f"until: an alert sleeps until a time after now ({now}) and at most "
                f"{SNOOZE_MS // 86_400_000} days later, or 0 to wake it."
            )
        return self._change(domain, key, who, seen, "snooze", str(until), snoozed_until=until)

    def label(self, domain: str, key: AlertKey, who: Who, seen: int | None, kind: str) -> Work:
        """Tell what the payment was. The label goes to the topic of labels after it is stored
        here: where that fails, the same call again sends the same label (one, by its id)."""
        if domain != Fraud.name:
            raise SettingsError(f"label: only payments have labels, and this is of {domain}.")
        if kind not in LABELS:
            raise SettingsError(f"label: {kind!r} is none. Choose one of: {', '.join(LABELS)}.")
        d = self._decision(domain, key)
        place = f"{d.topic}/{d.partition}/{d.offset}"
        payment = labels.payment(self.settings, self.archive, place)
        work = self.archive.work(domain, key)
        if (work.label, work.label_sent) != (kind, False) or seen not in (None, work.version):
            work = self._change(domain, key, who, seen, "label", kind, label=kind, label_sent=False)
        at = next(act.at for act in reversed(work.acts) if act.act == "label")
        made = labels.record(
            self.settings, datetime.fromtimestamp(at / 1000, UTC), payment, kind,
            f"{kind}-{at}-{key.id}"[:64],
        )  # fmt: skip
        with closing(connect.sink(self.settings)) as sink:
            sink.send(self.settings.topic_labels, made.key, made.value)
            sink.flush(self.settings.kafka_request_timeout_s)
        sent = replace(work, version=work.version + 1, label_sent=True)
        if self.archive.put_work(domain, key, sent):
            return sent
        return self.archive.work(domain, key)  # somebody acted meanwhile; the label is sent

    def _decision(self, domain: str, key: AlertKey) -> Decision:
        stripe = stripe_of(key.entity, self.settings.layout_stripes)
        found = self.archive.find_decisions(domain, [DecisionKey(stripe, *key)])
        if not found:
            raise NotFound(
                f"{domain} has no decision {key.id!r} of {key.entity!r} at {key.time}. Lists of "
                "alerts and decisions have the keys that there are."
            )
        return _decision(bytes(found[0].body))

    def _change(
        self, domain: str, key: AlertKey, who: Who, seen: int | None, act: str, text: str,
        **fields: object,
    ) -> Work:  # fmt: skip
        """`seen`: the version that the person saw; None takes whatever stands."""
        now = self.clock()
        target = f"{domain}/{key.entity}/{key.time}/{key.id}"
        with audited(self.archive, who, f"alert.{act}", target, text, now):
            self._decision(domain, key)
            while True:
                before = self.archive.work(domain, key)
                if seen is not None and seen != before.version:
                    raise Overtaken(before)
                if len(before.acts) >= ACTS:
                    raise SettingsError(
                        f"This alert has {ACTS} acts already, the most that are kept."
                    )
                acts = [*before.acts, Act(now, who.name, act, text)]
                after = replace(before, version=before.version + 1, acts=acts, **fields)
                if self.archive.put_work(domain, key, after):
                    return after
                if seen is not None:
                    raise Overtaken(self.archive.work(domain, key))
