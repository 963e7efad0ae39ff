#!/usr/bin/env bash
# polars: the same arithmetic gives other numbers as SQL than as expression.
#
# A good engineer would guess: `pl.sql_expr("amount / 10000000.0")` is `pl.col("amount") / 10000000.0`. But a
# literal with a point is a decimal in SQL, and integer division by it keeps six places: 3 / 10000000.0 is 0.
# `%` and `//` of negative numbers differ too: SQL's truncate, the expressions' floor.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check polars==2.1.0
venv/bin/python -W ignore - <<'PYTHON'
import polars as pl

print("polars", pl.__version__)
frame = pl.DataFrame({"amount": [3, 7], "a": [-7, 7], "b": [3, -3]})
pairs = {
    "amount / 10000000.0": pl.col("amount") / 10000000.0,
    "a % b": pl.col("a") % pl.col("b"),
    "a // b": pl.col("a") // pl.col("b"),
}
for sql, expression in pairs.items():
    by_sql = frame.select(pl.sql_expr(sql).alias("x"))["x"]
    by_expression = frame.select(expression.alias("x"))["x"]
    print(f"{sql:22} sql_expr: {by_sql.dtype} {by_sql.to_list()}")
    print(f"{'':22} expression: {by_expression.dtype} {by_expression.to_list()}")
    assert by_sql.cast(pl.Float64).to_list() != by_expression.cast(pl.Float64).to_list(), (
        f"gone: {sql} is the same in both"
    )
assert float(frame.select(pl.sql_expr("amount / 10000000.0").alias("x"))["x"][0]) == 0.0
PYTHON
