"""Transactions to decisions: approve, review or decline."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from stormwatch.compiled import core
from stormwatch.domains.fraud import capping, labels, sequence, terminals
from stormwatch.domains.fraud import features as measured
from stormwatch.domains.fraud.details import Carry, takes_back
from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.fraud.features import (
    BEFORE,
    FEATURE_NAMES,
    FEATURE_SET,
    FEATURES,
    WINDOWS,
)
from stormwatch.domains.fraud.parse import parse, to_wire
from stormwatch.domains.fraud.rates import Rates, shipped
from stormwatch.domains.fraud.second import Terminals
from stormwatch.domains.fraud.state import CustomerState, Own, new_state
from stormwatch.errors import ModelError
from stormwatch.features import names
from stormwatch.models import NONE, Card, Model, NoModel, Supply, card_of, load, now
from stormwatch.own_features import OwnFeatures
from stormwatch.records import DecisionRow, Rejection
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
        FEATURE_SET: FEATURE_NAMES,
    }
    """Of labels, of decisions that were made before terminals were known, and of those without
    features of a user's own."""
    alert_outcomes = ALERT_OUTCOMES

    def __init__(
        self,
        model_folder: Path | None = None,
        *,
        rule_set: "RuleSet | None" = None,
        future_skew_ms: int = 300_000,
        retry_ms: int = RETRY_MS,
        rates: Rates | None = None,
        own: OwnFeatures | None = None,
        supply: Supply = now,
        core: str = "compiled",
    ) -> None:
        """Of payments with details those within `retry_ms` of the same one are its retries. `own`:
        features of the user's, after those of this domain. `core`: see `compiled`."""
        self._folder = model_folder or SHIPPED
        self._rule_set = rule_set
        self._future_skew_ms, self._retry_ms = future_skew_ms, retry_ms
        self._supply, self._core = supply, core
        self.rates = rates or shipped()
        self.second = Terminals(self.rates)
        self._own = own
        self._features = FEATURES if own is None else (*FEATURES, *own.features)
        if own is not None:
            self.feature_names = (*FEATURE_NAMES, *own.names)
            self.feature_set = f"{FEATURE_SET}+{own.version}"

    @classmethod
    def load(
        cls,
        folder: Path | str = "",
        *,
        rule_set: "RuleSet | None" = None,
        future_skew_ms: int = 300_000,
        retry_ms: int = RETRY_MS,
        rates: Rates | None = None,
        own: OwnFeatures | None = None,
        supply: Supply = now,
        core: str = "compiled",
    ) -> "Fraud":
        """With the model in `folder`, or the shipped one, loaded now. Raises ModelError."""
        path = Path(folder) if folder else None
        fraud = cls(
            path, rule_set=rule_set, future_skew_ms=future_skew_ms, retry_ms=retry_ms, rates=rates,
            own=own, supply=supply, core=core,
        )  # fmt: skip
        fraud._scorer  # noqa: B018
        return fraud

    @classmethod
    def from_settings(cls, settings: Settings, supply: Supply = now) -> "Fraud":
        """As the settings say, its model loaded. Raises ModelError, SettingsError for rules."""
        from stormwatch.domains.fraud import own, rates, rules

        return cls.load(
            settings.fraud_model,
            rule_set=rules.chosen(settings, own.feature_names(settings)),
            future_skew_ms=settings.future_skew_s * 1000,
            retry_ms=settings.fraud_retry_s * 1000,
            rates=rates.chosen(settings),
            own=own.chosen(settings),
            supply=supply,
            core=settings.core,
        )

    def by_rules(self) -> "Fraud":
        """The same without a model: every decision is degraded."""
        return type(self)(
            Path(NONE), rule_set=self._rule_set, future_skew_ms=self._future_skew_ms,
            retry_ms=self._retry_ms, rates=self.rates, own=self._own,
            core=self._core,
        )  # fmt: skip

    def with_rules(self, settings: Settings) -> "Fraud":
        """The same with the rules of these settings; its model, loaded, is shared. Raises
        SettingsError."""
        from stormwatch.domains.fraud import rules

        chosen, model = rules.chosen(settings, self.feature_names), self.model
        other = type(self)(
            self._folder, rule_set=chosen, future_skew_ms=self._future_skew_ms,
            retry_ms=self._retry_ms, rates=self.rates, own=self._own, supply=lambda load: model,
            core=self._core,
        )  # fmt: skip
        other._scorer  # noqa: B018
        return other

    @cached_property
    def _rules(self) -> "RuleSet":
        """Read at the first use: what reads their conditions is not loaded by who only parses."""
        from stormwatch.domains.fraud import rules

        return self._rule_set or rules.shipped(self.feature_names)

    @property
    def rules_version(self) -> str:
        """Of the rules in use."""
        return self._rules.version

    @cached_property
    def model(self) -> Model:
        """The model in use. Raises ModelError."""
        return self._supply(self._load)

    @property
    def models(self) -> tuple[Model, ...]:
        """See `stormwatch.state.judge.AsksModels`. Raises ModelError."""
        return (self.model,)

    def _load(self) -> Model:
        from stormwatch.domains.fraud.scoring import Thresholds
        from stormwatch.models.trees import TreesModel

        kind, named = FEATURE_SET, FEATURE_NAMES
        if self._own and card_of(self._folder).feature_set != FEATURE_SET:
            kind, named = self.feature_set, self.feature_names
        model = load(self._folder, feature_set=kind, feature_names=named)
        Thresholds.of(model.card)
        if self._native is not None and isinstance(model, TreesModel):
            model.hasten(self._native)
        if model.card.window != self._at_once.window:
            raise ModelError(
                f"{self._folder} takes sequences of {model.card.window} payments, and this process "
                f"began with one that takes {self._at_once.window}: restart the topology"
            )
        return model

    @cached_property
    def _at_once(self) -> Card:
        """The card as it is when this process begins, for customers learn by it: a model that
        becomes usable later must take as many rows. That of no model where it cannot be read."""
        try:
            return card_of(self._folder)
        except ModelError:
            return NoModel.card

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

        return Scorer(self.model, self._rules, self.rates, self._features, self._native)

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
            measured.learn_label(state, event, self.rates)
            return (), ""
        row, carry = measured.advance(state, event, second, self._retry_ms, self.rates)
        if self._own is not None:
            kept = state.own
            before = kept.kept if kept is not None and kept.version == self._own.version else b""
            mine, after = self._own.advance(before, event)
            if not takes_back(event):
                state.own = Own(self._own.version, after)
            row = (*row, *mine)
        card = self._at_once
        return row, carry if card.window == 1 else sequence.learn(state, row, carry, card)

    @property
    def _native(self) -> Any:
        """The compiled core; None where it is not installed or not wanted."""
        return None if self._core == "python" else core()

    def compiled(self, policy: Any) -> Any:
        """See `stormwatch.state.processor.Compiled`; None where features are a user's own, a model
        takes sequences, or there is no compiled core."""
        as_shipped = type(self).advance is Fraud.advance and "advance" not in vars(self)
        found, rates = self._native, self.rates
        if found is None or not as_shipped:
            return None
        if self._own is not None or self._at_once.window != 1:
            return None
        return found.FraudCore(
            Transaction, DecisionRow, dict(rates.euro), list(rates.common), policy.lateness_ms,
            policy.horizon_ms, policy.memory_ms, policy.max_ids,
        )  # fmt: skip

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
            return self._scored(events, features, carries) if events else []
        judged = [at for at in range(len(events)) if at not in made]
        if judged:
            verdicts = self._scored(
                [events[at] for at in judged],
                [features[at] for at in judged],
                [carries[at] for at in judged],
            )
            made.update(zip(judged, verdicts, strict=True))
        return [made[at] for at in range(len(events))]

    def _scored(
        self,
        events: Sequence[Transaction],
        features: Sequence[tuple[float, ...]],
        carries: Sequence[Carry | sequence.Sequenced],
    ) -> list[Verdict]:
        plain = [one.carry if isinstance(one, sequence.Sequenced) else one for one in carries]
        if self.model.card.window == 1:
            return self._scorer(events, features, plain)
        return self._scorer(events, features, plain, sequence.rows(carries, self.model.card))
