"""Each mutant can still be made: what it breaks is there, once. Quick, for they rot unseen."""

import ast
from pathlib import Path

import pytest

from tests.mutations.mutants import BY_THE_MACHINE, MACHINE, MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.rule.replace(" ", "-"))
def test_a_mutant_can_be_made_and_is_python(mutant: Mutant) -> None:
    file, broken = mutant.made()
    assert broken != file.read_text()
    ast.parse(broken)
    assert all((ROOT / name).is_file() for name in mutant.tests.split()), mutant.tests


def test_each_rule_stands_once_and_those_for_the_machine_are_among_them() -> None:
    rules = [mutant.rule for mutant in MUTANTS]
    assert len(rules) == len(set(rules)) > 70
    assert set(BY_THE_MACHINE) <= set(rules) and (ROOT / MACHINE).is_file()


@pytest.mark.parametrize(
    ("symbol", "why"),
    [
        ("stormwatch.partitioner:nothing", "is there 0 times"),
        ("stormwatch.no_such_module:f", "no module"),
        ("stormwatch.partitioner:stripe_of", "stands 0 times"),
    ],
)
def test_one_that_rots_is_told(symbol: str, why: str) -> None:
    with pytest.raises(LookupError, match=f"a rule: .*{why}"):
        Mutant("a rule", symbol, "no such text", "", "").made()
