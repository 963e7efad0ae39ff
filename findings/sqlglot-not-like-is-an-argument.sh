#!/usr/bin/env bash
# sqlglot 30.30.0: `x NOT LIKE 'a%'` is parsed as a LIKE with the argument `negate`, while NOT IN,
# NOT BETWEEN, IS NOT NULL and NOT RLIKE are a NOT around the operation, as up to 29.0.0 NOT LIKE was.
#
# Expected: one shape for all negated operations, as in the releases before.
# Seen: Like(negate=True) for NOT LIKE (and ILike for NOT ILIKE), Not(...) for the others. A visitor that
# reads operands by type and passes over arguments that it does not know takes NOT LIKE for LIKE: a
# filter then means the opposite, and nothing is raised.
# Around it: refuse a node that has an argument other than those that are read.
#
# Needs Python 3.11 or newer. Exit code 0: as described; 1: otherwise now.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for version in 29.0.0 30.30.0; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" -q install "sqlglot==$version"
    "$folder/$version/bin/python" - >"$folder/$version.txt" <<'PY'
import sqlglot

for text in ("x NOT LIKE 'a%'", "x NOT ILIKE 'a%'", "x NOT RLIKE 'a'", "x NOT IN ('a')", "x NOT BETWEEN 1 AND 2"):
    node = sqlglot.parse_one(text)
    print(f"{text:<24} {type(node).__name__:<6} negate={node.args.get('negate')}")
PY
    echo "sqlglot $version"
    cat "$folder/$version.txt"
done
[[ $(grep -c '^x NOT .* Not ' "$folder/29.0.0.txt") == 5 ]]
[[ $(grep -c '^x NOT .* Not ' "$folder/30.30.0.txt") == 3 ]]
grep -q "^x NOT LIKE .* Like   negate=True" "$folder/30.30.0.txt"
grep -q "^x NOT ILIKE .* ILike  negate=True" "$folder/30.30.0.txt"
