"""Transactions to decisions: approve, review or decline."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from stormwatch.domains.fraud import capping, labels, terminals
from stormwatch.domains.fraud import features as measured
from stormwatch.domains.fraud.details import Carry
from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.fraud.features import BEFORE, FEATURE_NAMES, FEATURE_SET, WINDOWS
from stormwatch.domains.fraud.parse import parse, to_wire
from stormwatch.domains.fraud.second import TERMINALS
from stormwatch.domains.fraud.state import CustomerState, new_state
from stormwatch.features import names
from stormwatch.models import NONE, Card, Model, Supply, load, now
from stormwatch.records import Rejection
from stormwatch.settings import Settings
from stormwatch.state.judge import Advanced, Verdict, Versions

if TYPE_CHECKING:
    from stormwatch.domains.fraud.scoring import Scorer
    from stormwatch.models.distribution import Flags, Floats
    from stormwatch.rules.document import RuleSet

ALERT_OUTCOMES = frozenset({"review", "decline"})
RETRY_MS = 120_000
SETTLED = 50
"""Payments from which on a customer is known: about a month of them."""
SHIPPED = Path(__file__).with_name("model")


class Fraud:
    """The fraud domain; see `stormwatch.state.judge.Domain`.

    The score is the model's probability of fraud, 6 decimals. The model, and numpy with it, is
    loaded at the first use of `model_version` or `decide`, which then may raise ModelError: a
    process that only parses stays small.
    """

    name = "fraud"
    event = Transaction
    state = CustomerState
    feature_names: tuple[str, ...] = FEATURE_NAMES
    feature_set = FEATURE_SET
    other_features: ClassVar[dict[str, tuple[str, ...]]] = {
        labels.FEATURE_SET: (),
        BEFORE: names(WINDOWS),
    }
    """Of labels, and of decisions that were made before terminals were known."""
    alert_outcomes = ALERT_OUTCOMES
    second = TERMINALS

    def __init__(
        self,
        model_folder: Path | None = None,
        *,
        rule_set: "RuleSet | None" = None,
        future_skew_ms: int = 300_000,
        retry_ms: int = RETRY_MS,
        supply: Supply = now,
    ) -> None:
        """Of payments with details those within `retry_ms` of the same one are its retries."""
        self._folder = model_folder or SHIPPED
        self._rule_set = rule_set
        self._future_skew_ms, self._retry_ms = future_skew_ms, retry_ms
        self._supply = supply

    @classmethod
    def load(
        cls,
        folder: Path | str = "",
        *,
        rule_set: "RuleSet | None" = None,
        future_skew_ms: int = 300_000,
        retry_ms: int = RETRY_MS,
        supply: Supply = now,
    ) -> "Fraud":
        """With the model in `folder`, or the shipped one, loaded now. Raises ModelError."""
        path = Path(folder) if folder else None
        fraud = cls(
            path, rule_set=rule_set, future_skew_ms=future_skew_ms, retry_ms=retry_ms, supply=supply
        )
        fraud._scorer  # noqa: B018
        return fraud

    @classmethod
    def from_settings(cls, settings: Settings, supply: Supply = now) -> "Fraud":
        """As the settings say, its model loaded. Raises ModelError, SettingsError for rules."""
        from stormwatch.domains.fraud import rules

        return cls.load(
            settings.fraud_model,
            rule_set=rules.chosen(settings, FEATURE_NAMES),
            future_skew_ms=settings.future_skew_s * 1000,
            retry_ms=settings.fraud_retry_s * 1000,
            supply=supply,
        )

    def by_rules(self) -> "Fraud":
        """The same without a model: every decision is degraded."""
        return type(self)(
            Path(NONE), rule_set=self._rule_set, future_skew_ms=self._future_skew_ms,
            retry_ms=self._retry_ms,
        )  # fmt: skip

    def with_rules(self, settings: Settings) -> "Fraud":
        """The same with the rules of these settings; its model, loaded, is shared. Raises
        SettingsError."""
        from stormwatch.domains.fraud import rules

        chosen, model = rules.chosen(settings, FEATURE_NAMES), self.model
        other = type(self)(
            self._folder, rule_set=chosen, future_skew_ms=self._future_skew_ms,
            retry_ms=self._retry_ms, supply=lambda load: model,
        )  # fmt: skip
        other._scorer  # noqa: B018
        return other

    @cached_property
    def _rules(self) -> "RuleSet":
        """Read at the first use: what reads their conditions is not loaded by who only parses."""
        from stormwatch.domains.fraud import rules

        return self._rule_set or rules.shipped(FEATURE_NAMES)

    @property
    def rules_version(self) -> str:
        """Of the rules in use."""
        return self._rules.version

    @cached_property
    def model(self) -> Model:
        """The model in use. Raises ModelError."""
        return self._supply(self._load)

    def _load(self) -> Model:
        from stormwatch.domains.fraud.scoring import Thresholds

        model = load(self._folder, feature_set=FEATURE_SET, feature_names=FEATURE_NAMES)
        Thresholds.of(model.card)
        return model

    @property
    def model_version(self) -> str:
        """Of the model in use. Raises ModelError."""
        return self.model.card.version

    @property
    def other_versions(self) -> frozenset[Versions]:
        """Of labels, which no model judges."""
        return frozenset({(NONE, self.rules_version, labels.FEATURE_SET)})

    @property
    def card(self) -> Card:
        """Of the model in use. Raises ModelError."""
        return self.model.card

    @staticmethod
    def settled(rows: "Floats") -> "Flags":
        """Of feature rows, which are of customers known for long enough to be compared with those
        of the training."""
        kept: Flags = rows[:, FEATURE_NAMES.index("seen")] >= SETTLED
        return kept

    @cached_property
    def _scorer(self) -> "Scorer":
        from stormwatch.domains.fraud.scoring import Scorer

        return Scorer(self.model, self._rules)

    settle_capped = staticmethod(capping.settle)
    """For who decides by rules that may have caps, whether or not these have."""

    @property
    def settle(self) -> Any:
        """The last word where rules have caps; else None, and nobody is asked."""
        capped = any(rule.cap_1h or rule.cap_1d for rule in self._rules.rules)
        return self.settle_capped if capped else None

    def parse(self, value: bytes, timestamp: int) -> Transaction | Rejection:
        """See `stormwatch.domains.fraud.parse`."""
        return parse(value, timestamp, future_skew_ms=self._future_skew_ms)

    def to_wire(self, event: Transaction) -> bytes:
        """See `stormwatch.domains.fraud.parse`."""
        return to_wire(event)

    def new_state(self) -> CustomerState:
        """See `stormwatch.domains.fraud.state`."""
        return new_state()

    def advance(
        self,
        state: CustomerState,
        event: Transaction,
        second: tuple[float, ...] = terminals.UNKNOWN,
    ) -> Advanced:
        """See `stormwatch.domains.fraud.features`; a label is learned and has none.

        `second` is what the payment's terminal tells: `terminals.values`.
        """
        if event.label is not None:
            measured.learn_label(state, event)
            return (), ""
        return measured.advance(state, event, second, self._retry_ms)

    def decide(
        self,
        events: Sequence[Transaction],
        features: Sequence[tuple[float, ...]],
        carries: Sequence[Carry],
    ) -> list[Verdict]:
        """See `stormwatch.domains.fraud.scoring`; a label is no payment, and not judged."""
        made = {
            at: labels.verdict(event.label, self.rules_version)
            for at, event in enumerate(events) if event.label is not None
        }  # fmt: skip
        if not made:
            return self._scorer(events, features, carries) if events else []
        judged = [at for at in range(len(events)) if at not in made]
        if judged:
            verdicts = self._scorer(
                [events[at] for at in judged],
                [features[at] for at in judged],
                [carries[at] for at in judged],
            )
            made.update(zip(judged, verdicts, strict=True))
        return [made[at] for at in range(len(events))]
