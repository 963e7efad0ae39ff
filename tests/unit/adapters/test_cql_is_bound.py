"""Values reach Cassandra bound, never as part of a statement's text."""

import ast
import re
from pathlib import Path

SRC = Path(__file__).parents[3]
FILES = [
    *sorted((SRC / "src" / "stormwatch" / "adapters" / "cassandra").glob("*.py")),
    *sorted((SRC / "apps").rglob("*.py")),
]
_CQL = re.compile(r"^\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|TRUNCATE|BEGIN)\s", re.S)
ALLOWED = {
    "keyspace", "table", "columns", "column", "where", "marks", "ttl_s", "METER_TTL_S", "row",
    "works", "letters", "alerts", "kept", "what", "_ASIDE", "_ACT", "_DAY", "_AUDIT", "_TOKEN",
    "_WORK", "_OF_WORK", "_SLOT",
    "keyspace_of(self._settings)",
    "settings.cassandra_keyspace", "self.keyspace", "settings.cassandra_datacenter",
    "settings.cassandra_replication", "', '.join(_COLUMNS)",
}  # fmt: skip
"""What may stand in a statement: names and TTLs of our own code and of the checked keyspace."""


def inserted(text: ast.JoinedStr) -> set[str]:
    """The expressions in an f-string."""
    return {ast.unparse(part.value) for part in text.values if isinstance(part, ast.FormattedValue)}


def test_a_statement_holds_names_of_our_own_alone() -> None:
    met = 0
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                first = node.values[0]
                start = first.value if isinstance(first, ast.Constant) else ""
                if isinstance(start, str) and _CQL.match(start):
                    met += 1
                    assert inserted(node) <= ALLOWED, f"{path}:{node.lineno}"
    assert met > 20
