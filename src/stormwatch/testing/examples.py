"""Values of any msgspec type: plausible ones, and ones that nobody expects."""

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

from stormwatch.testing.clock import START_MS

_DEEP = 8
_WORDS = 100
_QUARTER_DAY_MS = 6 * 3_600_000
_ODD_TEXTS = ("", "\x00", "\N{SNOWMAN}" * 300, "' OR 1=1 --", "x" * 5000)
_ODD_NUMBERS = (0, -1, 2**53, -(2**53), 1)


def example(kind: Any, number: int = 0, **fields: Any) -> Any:
    """The `number`-th plausible value of a msgspec type: ids unlike, times rising by a second.

    `fields` are set as given: `example(Transaction, amount=5_00)`.
    """
    builder = _Builder(number, lambda name: f"{name or 'text'}-{number}")
    made = builder.value(_type_info(kind))
    return msgspec.structs.replace(made, **fields) if fields else made


def of_one_key(kind: Any, number: int) -> Any:
    """The `number`-th event of one key: ids unlike, times a quarter of a day apart, so that windows
    of weeks pass; what else it says comes again and again, as words of a language do."""
    first, fresh = example(kind), example(kind, number)
    told = msgspec.structs.asdict(example(kind, number % _WORDS))
    for name, value in msgspec.structs.asdict(first).items():
        if value == first.entity:
            told[name] = value
        elif name == "id":
            told[name] = fresh.id
        elif value == first.time:
            told[name] = value + number * _QUARTER_DAY_MS
    return kind(**told)


def odd(kind: Any) -> list[Any]:
    """Values that the type allows and nobody expects: empty and long texts, numbers at limits.

    Times stay near the present, for no parser lets others pass.
    """
    info = _type_info(kind)
    made = []
    for text, number in zip(_ODD_TEXTS, _ODD_NUMBERS, strict=True):
        wild = _Builder(number, lambda name, text=text: text)  # type: ignore[misc]
        value = wild.value(info)
        try:
            made.append(msgspec.convert(msgspec.to_builtins(value, str_keys=True), kind,
                                        str_keys=True))  # fmt: skip
        except msgspec.ValidationError:
            continue  # the type itself forbids it
    return made


@cache
def _type_info(kind: Any) -> inspect.Type:
    return inspect.type_info(kind)


class _Builder:
    """Makes one value of a type. Numbers follow from `number`, texts from their field's name."""

    def __init__(self, number: int, text: Callable[[str], str]) -> None:
        self._n = number
        self._text = text
        self._depth = 0

    def value(self, info: Any, name: str = "") -> Any:
        """A value of the type; None where the kit knows none, or a type holds itself."""
        make = getattr(self, f"_{type(info).__name__.removesuffix('Type').lower()}", None)
        if make is None or self._depth > _DEEP:
            return None
        self._depth += 1
        try:
            return make(info, name)
        finally:
            self._depth -= 1

    def _metadata(self, info: inspect.Metadata, name: str) -> Any:
        """Of `Meta(examples=[…])` one of them: where a type allows what only some places know."""
        given = (info.extra_json_schema or {}).get("examples")
        return given[self._n % len(given)] if given else self.value(info.type, name)

    def _struct(self, info: inspect.StructType, name: str) -> Any:
        return info.cls(**{f.name: self.value(f.type, f.name) for f in info.fields})

    def _bool(self, info: inspect.BoolType, name: str) -> bool:
        return self._n % 2 == 0

    def _int(self, info: inspect.IntType, name: str) -> Any:
        if "time" in name:
            return START_MS + self._n % 1_000_000 * 1000
        return _within(self._n + 1, info)

    def _float(self, info: inspect.FloatType, name: str) -> float:
        return float(_within(self._n + 0.5, info))

    def _str(self, info: inspect.StrType, name: str) -> str:
        return self._text(name)[: info.max_length].ljust(info.min_length or 0, "x")

    def _bytes(self, info: inspect.BytesType, name: str) -> bytes:
        return self._text(name).encode()

    def _literal(self, info: inspect.LiteralType, name: str) -> Any:
        return info.values[self._n % len(info.values)]

    def _enum(self, info: inspect.EnumType, name: str) -> Any:
        return list(info.cls)[self._n % len(info.cls)]

    def _union(self, info: inspect.UnionType, name: str) -> Any:
        whole = [t for t in info.types if not isinstance(t, inspect.NoneType)]
        return self.value(whole[0], name)

    def _tuple(self, info: inspect.TupleType, name: str) -> tuple[Any, ...]:
        return tuple(self.value(item, name) for item in info.item_types)

    def _vartuple(self, info: inspect.VarTupleType, name: str) -> tuple[Any, ...]:
        return (self.value(info.item_type, name),)

    def _list(self, info: inspect.ListType, name: str) -> list[Any]:
        return [self.value(info.item_type, name)]

    def _set(self, info: inspect.SetType, name: str) -> set[Any]:
        return {self.value(info.item_type, name)}

    def _frozenset(self, info: inspect.FrozenSetType, name: str) -> frozenset[Any]:
        return frozenset([self.value(info.item_type, name)])

    def _dict(self, info: inspect.DictType, name: str) -> dict[Any, Any]:
        return {self.value(info.key_type, name): self.value(info.value_type, name)}


def _within(value: float, info: inspect.IntType | inspect.FloatType) -> Any:
    low = info.ge if info.ge is not None else info.gt and info.gt + 1
    high = info.le if info.le is not None else info.lt and info.lt - 1
    if low is not None:
        value = max(value, low)
    return value if high is None else min(value, high)
