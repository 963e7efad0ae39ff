"""A mapping proposed for somebody's records: each guess has its reason, the rest is asked. Pure.

`propose` concludes from a sample of flat records and from what a person has answered so far. What
neither tells stands in `questions`; once these are answered, it is called again. A mapping guesses
nothing at run time, so whatever is guessed is guessed here, and shown.
"""

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from apps.data.columns import Column, Form, are_unique, columns
from stormwatch.parsing.mapping import Target

_PLAIN_ID = re.compile(r"[\w.:/@+-]{1,64}", re.ASCII)
_UNIT = re.compile(r"\s*[\[(]([^\])]{1,16})[\])]\s*$")
_OPENED = re.compile(r"[^A-Za-z0-9]+")
_CURRENCY = re.compile(r"[A-Z]{3}")
_COUNTRY = re.compile(r"[A-Z]{2}")

_MONEY = ("amount", "amt", "price", "total", "sum", "betrag", "importe", "montant", "value")
_PAYER = ("card", "cc", "pan", "customer", "client", "cardholder", "account", "acct", "iban",
          "payer", "orig", "sender", "user", "member", "kunde")  # fmt: skip
_PLACE = ("terminal", "pos", "merchant", "shop", "store", "dest", "payee", "beneficiary",
          "counterparty", "receiver", "vendor")  # fmt: skip
_ID = ("id", "uuid", "guid", "num", "number", "nr", "ref", "reference", "key")
_OF_PAYMENT = {"trans", "transaction", "tx", "txn", "payment", "event", "record", "message"}
_TIME = ("timestamp", "time", "datetime", "date", "ts", "when", "at", "created", "zeit")
_STEP = ("step", "seconds", "elapsed", "cycle", "cycles", "time", "dt", "t", "udi", "index", "row")
_MACHINE = ("unit", "machine", "pump", "device", "asset", "equipment", "engine", "motor", "turbine",
            "compressor", "vehicle", "node", "host", "server", "instance", "sensor", "station",
            "site", "source", "serial", "name")  # fmt: skip
_SENSOR = ("sensor", "tag", "channel", "metric", "signal", "variable", "parameter", "measurement",
           "key", "name")  # fmt: skip
_MEASURED = ("value", "val", "reading", "measured")
_MORE = {"category": ("category", "mcc"), "channel": ("channel",), "device": ("device",)}
_PLACES = {"latitude": {"lat", "latitude"}, "longitude": {"long", "lon", "lng", "longitude"}}
_AT_HOME = {"customer", "cust", "home", "cardholder"}
_LABEL = {"fraud", "label", "target", "class", "anomaly", "failure", "fault", "rul", "isfraud",
          "twf", "hdf", "pwf", "osf", "rnf", "changepoint", "outcome"}  # fmt: skip
MADE = ("_file", "_row")
"""What `publish` adds to the rows of a file."""


class Answers(NamedTuple):
    """What a person said; "" for what nobody was asked."""

    event: str = ""
    entity: str = ""
    currency: str = ""
    amount_unit: str = ""
    zone: str = ""
    time: str = ""
    form: str = ""
    since: str = ""
    step_s: str = ""


class Question(NamedTuple):
    """What the records do not tell."""

    about: str  # the field of Answers
    text: str
    choices: tuple[str, ...] = ()  # none: any text


class Guess(NamedTuple):
    """One field of the event, or one table of the mapping, and why it is so."""

    table: str  # "fields.amount"
    keys: dict[str, Any]
    reason: str


class Proposal(NamedTuple):
    """A mapping, or a part of one with questions."""

    top: dict[str, Any]  # keys before the tables
    guesses: list[Guess]
    left: list[tuple[str, str]]  # column, why nothing is made of it
    questions: list[Question]
    notes: tuple[str, ...] = ()  # what is told besides

    @property
    def event(self) -> str:
        return str(self.top.get("event", ""))


def propose(
    records: Sequence[dict[str, Any]], answers: Answers, targets: dict[str, Target]
) -> Proposal:
    """Conclude from flat records, as `columns.flat` makes them, and from answers."""
    found = columns(records)
    event, reason = _event(found, answers)
    if not event:
        what = "Are these payments (transactions) or measurements of machines (readings)?"
        return Proposal({}, [], [], [Question("event", what, ("transactions", "readings"))])
    if event not in targets:
        return Proposal({}, [], [], [Question("event", f"No {event} there are", (*targets,))])
    draft = _Draft(found, answers, targets[event])
    draft.notes.append(reason)
    (draft.payments if event == "transactions" else draft.readings)()
    return draft.made()


def _event(found: Sequence[Column], answers: Answers) -> tuple[str, str]:
    if answers.event:
        return answers.event, f"{answers.event}: as you say"
    money = _named(found, _MONEY[:-1], _is_amount)
    payer = _named(found, _PAYER, _may_be_id) or next((c for c in found if c.holds_cards), None)
    if money and payer:
        return "transactions", f"`{money.path}` is money and `{payer.path}` pays it: transactions"
    if not money and any(c.is_numeric and not c.times for c in found):
        return "readings", "numbers, and no column names an amount of money: readings"
    return "", ""


class _Draft:
    """A proposal in the making."""

    def __init__(self, found: list[Column], answers: Answers, target: Target) -> None:
        self._all, self._answers, self._target = found, answers, target
        self._by_path = {column.path: column for column in found}
        self._used: set[str] = set()
        self._cards = [column.path for column in found if column.holds_cards]
        self.top: dict[str, Any] = {"event": target.event}
        self.guesses: list[Guess] = []
        self.left: list[tuple[str, str]] = []
        self.questions: list[Question] = []
        self.notes: list[str] = []

    def made(self) -> Proposal:
        """The proposal so far."""
        if self._cards:
            self.top["card_numbers"] = self._cards
            self.notes.append(
                f"{_listed(self._cards)} holds card numbers in clear: they are only hashed"
            )
        if words := sorted({word for column in self._all for word in self._absent_in(column)}):
            self.top["absent"] = words
            self.notes.append(f"{_listed(words)} stands for no value in columns of numbers")
        order = {"time": 1, self._target.entity: 0}
        self.guesses.sort(key=lambda one: order.get(one.table.removeprefix("fields."), 2))
        return Proposal(self.top, self.guesses, self.left, self.questions, (*self.notes,))

    def payments(self) -> None:
        """Transactions."""
        time = self._time()
        payer = self._entity(_PAYER, "Who pays: which column names the card, account or customer?")
        money = self._amount()
        self._currency()
        place = self._named(_PLACE, _may_be_id)
        if place:
            self._field("terminal", _id_keys(place, self._cards), f"`{place.path}`: the place")
            if "merchant" in place.words and not self._cards_in(place):
                self._field("merchant", {"path": place.path}, f"`{place.path}`: the name shown")
        else:
            self._field("terminal", {"constant": "unknown"},
                        "no column names a terminal or shop: all are taken for one")  # fmt: skip
        if country := self._named(("country",), lambda c: _all_fit(c, _COUNTRY)):
            self._field("country", {"path": country.path}, f"`{country.path}`: two capitals each")
        self._more()
        self._id([payer, time, place, money], _OF_PAYMENT)
        self._leave_rest()

    def readings(self) -> None:
        """Readings: a time, a unit, and columns of numbers."""
        long = self._long()
        time = self._time()
        unit = self._unit()
        sensor = self._by_path.get(long.keys["sensor"]) if long else None
        if "cycle" in self._target.optional and (
            cycle := self._named(("cycle", "cycles"), lambda c: c.is_integral)
        ):
            self._field("cycle", {"path": cycle.path}, f"`{cycle.path}`: whole numbers")
        self._id([unit, time, sensor], {"reading", "event", "record", "message"})
        if long:
            self.guesses.append(long)
        else:
            self._sensors()
        self._leave_rest()

    # fields

    def _time(self) -> Column | None:
        asked = self._answers.time
        if asked and asked not in self._by_path:
            self._ask("time", f"There is no column {asked!r}; which one is the time?")
            return None
        some = [self._by_path[asked]] if asked else [c for c in self._all if c.times]
        dated = [c for c in some if c.times]
        if not dated:
            return self._step(some)
        best = min(dated, key=_rank_of_time)
        self._used.add(best.path)
        forms = best.times
        if self._answers.form:
            forms = [Form(self._answers.form, _needs_zone(self._answers.form))]
        if len(forms) > 1:
            names = tuple(form.name for form in forms)
            what = f"`{best.path}` is {best.texts[0]!r} and fits {len(names)} patterns; which?"
            self._ask("form", what, names)
        form = forms[0]
        keys: dict[str, Any] = {"path": best.path, "form": form.name}
        reason = f"`{best.path}`: such as {best.texts[0]!r}"
        if form.needs_zone:
            reason += f", local times without a zone: {self._answers.zone or 'say which'}"
            if not self._answers.zone:
                what = f"`{best.path}` has no zone ({best.texts[0]!r}): whose clock is it? "
                self._ask("zone", what + "UTC, or such as Europe/Berlin")
            keys["zone"] = self._answers.zone
        others = [c.path for c in dated if c is not best]
        if others:
            reason += f"; also times: {_listed(others)}"
        self._field("time", keys, reason)
        return best

    def _step(self, some: list[Column]) -> Column | None:
        """Records without a date: they are counted from a time on."""
        step = some[0] if some else self._named(_STEP, lambda c: c.is_integral)
        if step is None and "_row" in self._by_path:
            step = self._by_path["_row"]
        if step is None:
            self._ask("time", "No column holds a time that is understood; which one is it?")
            return None
        self._used.add(step.path)
        if not self._answers.since:
            self._ask("since", f"`{step.path}` counts steps and has no date: at what time (RFC "
                      "3339, such as 2026-01-01T00:00:00Z) is step 0?")  # fmt: skip
        if not self._answers.step_s:
            self._ask("step_s", f"How many seconds is one step of `{step.path}`?")
        keys = {"path": step.path, "form": "step", "since": self._answers.since,
                "step_s": _number(self._answers.step_s)}  # fmt: skip
        self._field("time", keys, f"`{step.path}`: no date in any column, so steps since a time")
        return step

    def _entity(self, names: Sequence[str], question: str) -> Column | None:
        asked = self._answers.entity
        found = self._by_path.get(asked) if asked else None
        if found is None and not asked:
            found = self._named(names, _may_be_id)
            card = next((c for c in self._all if c.holds_cards and c.path not in self._used), None)
            found = card or found
        if found is None:
            if asked:
                question = f"There is no column {asked!r}. {question}"
            self._ask("entity", question)
            return None
        self._used.add(found.path)
        reason = f"`{found.path}`: {found.distinct:,} in {found.rows:,} records"
        keys = _id_keys(found, self._cards)
        if "hash" in keys:
            reason += ", hashed"
        self._field(self._target.entity, keys, reason)
        return found

    def _unit(self) -> Column | None:
        asked = self._answers.entity
        if asked or self._named(_MACHINE, _may_be_id, keep=True):
            return self._entity(_MACHINE, "Which column names the machine?")
        if "_file" in self._by_path:
            reason = "no column names a machine: each file is one"
            self._field(self._target.entity, {"path": "_file"}, reason)
            return self._by_path["_file"]
        return self._entity((), "Which column names the machine?")

    def _amount(self) -> Column | None:
        money = self._named(_MONEY, _is_amount)
        if money is None:
            self.notes.append("no column of numbers is named as an amount of money is")
            return None
        least, most = min(money.numbers), max(money.numbers)
        unit = self._answers.amount_unit or ("major" if money.decimals else "")
        signs = "always > 0" if least > 0 else "never > 0" if most <= 0 else ""
        reason = f"`{money.path}`: {money.decimals} decimals, {signs or f'{least:g} to {most:g}'}"
        if not unit:
            what = f"`{money.path}` is whole, such as {money.texts[0]}: units of the currency "
            self._ask("amount_unit", what + "(major) or of its smallest coin (minor)?",
                      ("major", "minor"))  # fmt: skip
        keys: dict[str, Any] = {"path": money.path, "unit": unit}
        if money.has_comma:
            keys["decimal_sign"] = ","
            if any("." in text for text in money.texts):
                keys["thousands"] = "."
        if signs == "never > 0":
            keys["negative"] = "absolute"
            reason += ", so money spent is negative"
        elif least <= 0:
            bad = sum(1 for number in money.numbers if number <= 0)
            reason += f"; {bad:,} of the sample are not > 0, and no payments"
        reason += f": amount in {unit} units" if unit else ""
        self._field("amount", keys, reason)
        return money

    def _currency(self) -> None:
        names = ("currency", "ccy", "cur", "curr", "waehrung", "devise")
        if column := self._named(names, lambda c: _all_fit(c, _CURRENCY)):
            self._field("currency", {"path": column.path}, f"`{column.path}`: ISO 4217 codes")
            return
        if not self._answers.currency:
            self._ask("currency", "No column names the currency: which one is it (ISO 4217, such "
                      "as EUR)?")  # fmt: skip
        self._field("currency", {"constant": self._answers.currency}, "no column names it: yours")

    def _more(self) -> None:
        """Fields that a payment may have, where their columns are named so that nothing is open."""
        for name, words in _MORE.items():
            if name in self._target.optional and (
                column := self._named(words, lambda c: _all_fit(c, _PLAIN_ID))
            ):
                hashed = name == "device"
                keys = {"hash": [column.path]} if hashed else {"path": column.path}
                self._field(name, keys, f"`{column.path}`: named so")
        for column in self._all:
            which = next((name for name in _PLACES if _PLACES[name] & column.words), "")
            if not which or column.path in self._used or not column.is_numeric:
                continue
            owner = "customer_" if column.words & _AT_HOME else ""
            if not owner and not column.words & {*_PLACE, "merch"}:
                self._leave(column, f"a place, and whose is not told: {which} is the terminal's, "
                            f"customer_{which} the customer's")  # fmt: skip
            elif owner + which in self._target.optional:
                self._used.add(column.path)
                whose = "the customer's" if owner else "the terminal's"
                self._field(owner + which, {"path": column.path}, f"`{column.path}`: {whose} place")

    def _id(self, parts: Sequence[Column | None], of: set[str]) -> None:
        free = [c for c in self._all if c.path not in self._used and c.is_unique and _may_be_id(c)]
        named = [c for c in free if set(_ID) & c.words and (of & c.words or c.words <= {*_ID})]
        if named:
            self._used.add(named[0].path)
            keys = _id_keys(named[0], self._cards)
            self._field("id", keys, f"`{named[0].path}`: in each record another")
            return
        real = [c for c in parts if c is not None and c.is_whole_there]
        paths = list(dict.fromkeys(c.path for c in real))
        if paths and are_unique([self._by_path[path] for path in paths]):
            self._field("id", {"hash": paths}, "no column is one; these together are unique")
        elif set(MADE) <= set(self._by_path):
            self._field("id", {"hash": list(MADE)},
                        "no column is one; the file's name and the row make one")  # fmt: skip
        else:
            self._field("id", {"hash": paths}, "no column is one. Records that are the same in "
                        "all of these count once, and there are such")  # fmt: skip

    # sensors

    def _long(self) -> Guess | None:
        """One sensor a record: a column of few names beside one of numbers."""
        value = self._named(_MEASURED, lambda c: c.is_numeric, keep=True)
        numeric = [c for c in self._all if c.is_numeric and not c.times and c.path not in MADE
                   and not c.is_integral]  # fmt: skip
        if value is None or any(c is not value for c in numeric):
            return None
        name = self._named(_SENSOR, lambda c: not c.is_numeric and 1 < c.distinct <= 64, keep=True)
        if name is None:
            return None
        self._used |= {value.path, name.path}
        keys = {"sensor": name.path, "value": value.path}
        return Guess("long", keys, f"`{name.path}` has {name.distinct} names beside one number, "
                     f"`{value.path}`: one sensor a record")  # fmt: skip

    def _sensors(self) -> None:
        sensors: dict[str, Any] = {}
        commas = False
        for column in self._all:
            if column.path in (*MADE, *self._used, *self._cards) or not column.is_numeric:
                continue
            if column.times:
                self._leave(column, "a time")
            elif _is_label(column):
                self._leave(column, "named as a label is: what a decision must not know")
            elif not _may_be_measured(column):
                self._leave(column, "a running number")
            else:
                name, unit = sensor_name(column.path)
                while name in sensors:
                    name += "_2"
                sensors[name] = {"path": column.path, "unit": unit} if unit else column.path
                self._used.add(column.path)
                commas |= column.has_comma
        if commas:
            self.top["decimal_sign"] = ","
        if sensors:
            reason = f"{len(sensors)} columns of numbers"
            self.guesses.append(Guess("sensors", sensors, reason))
        else:
            self.notes.append("no column of numbers is left to be a sensor")

    def _leave_rest(self) -> None:
        known = {path for path, _ in self.left} | self._used | {*MADE}
        for column in self._all:
            if column.path not in known:
                label = _is_label(column)
                self._leave(column, "named as a label is: what a decision must not know" if label
                            else "nothing is made of it")  # fmt: skip

    # helpers

    def _named(
        self, names: Sequence[str], fits: Callable[[Column], bool], keep: bool = False
    ) -> Column | None:
        free = [c for c in self._all if c.path not in self._used and c.path not in MADE]
        found = _named(free, names, fits)
        if found and not keep:
            self._used.add(found.path)
        return found

    def _cards_in(self, column: Column) -> bool:
        return column.path in self._cards

    def _absent_in(self, column: Column) -> list[str]:
        return column.absent if column.is_numeric or column.times else []

    def _field(self, name: str, keys: dict[str, Any], reason: str) -> None:
        self.guesses.append(Guess(f"fields.{name}", keys, reason))

    def _ask(self, about: str, text: str, choices: tuple[str, ...] = ()) -> None:
        self.questions.append(Question(about, text, choices))

    def _leave(self, column: Column, why: str) -> None:
        self.left.append((column.path, why))


def sensor_name(path: str) -> tuple[str, str]:
    """A sensor's name and its unit, "" where none is named: `Torque [Nm]` is torque in Nm."""
    unit = _UNIT.search(path)
    bare = path[: unit.start()] if unit else path
    name = _OPENED.sub("_", bare).strip("_")
    name = name if name == bare else name.lower()
    return name or "value", unit[1] if unit else ""


def _named(
    free: Sequence[Column], names: Sequence[str], fits: Callable[[Column], bool]
) -> Column | None:
    for name in names:
        for column in free:
            if name in column.words and fits(column) and not _is_label(column):
                return column
    return None


def _is_amount(column: Column) -> bool:
    return column.is_numeric and not column.times and column.decimals <= 4


def _may_be_id(column: Column) -> bool:
    """Whether the values may name something: texts or whole numbers, in most records."""
    if not column.texts or (column.is_numeric and not column.is_integral):
        return False
    return len(column.texts) * 2 > column.rows and not column.decimals


def _may_be_measured(column: Column) -> bool:
    """Not what counts the records: 1, 2, 3, …"""
    numbers = column.numbers
    steps = {after - before for before, after in pairwise(numbers)}
    return not (column.is_unique and column.is_integral and steps == {1.0})


def _is_label(column: Column) -> bool:
    return (bool(column.words & _LABEL) and column.distinct <= 20) or column.words >= {"rul"}


def _all_fit(column: Column, pattern: re.Pattern[str]) -> bool:
    return bool(column.texts) and all(pattern.fullmatch(text) for text in column.texts)


def _id_keys(column: Column, cards: Sequence[str]) -> dict[str, Any]:
    if column.path in cards or not _all_fit(column, _PLAIN_ID):
        return {"hash": [column.path]}
    return {"path": column.path}


def _rank_of_time(column: Column) -> tuple[bool, bool, int]:
    """The least is the best: with a time of day, named as a time is, by the order of names."""
    form = column.times[0].name
    day_only = "%" in form and not re.search("%[HI]", form)
    named = [place for place, name in enumerate(_TIME) if name in column.words]
    return day_only, not named, min(named, default=0)


def _needs_zone(form: str) -> bool:
    return "%" in form and "%z" not in form


def _number(text: str) -> Any:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return int(value) if value.is_integer() else value


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
