#!/usr/bin/env bash
# DuckDB: an AND in a SELECT list or FILTER does not guard its own right side.
#
# A good engineer would guess: `b <> 0 AND a % b = 1` is safe, since DuckDB accepts the same condition in WHERE
# for the same rows. In a SELECT list, and in an aggregate's FILTER, both sides are computed for all rows, and
# the query ends with a division by zero. CASE guards it everywhere.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check duckdb==2.0.1
venv/bin/python -W ignore - <<'PYTHON'
import duckdb

print("duckdb", duckdb.__version__)
connection = duckdb.connect()
connection.sql("CREATE TABLE t AS SELECT * FROM (VALUES (7, 0), (9, 2)) v(a, b)")
guarded = "b <> 0 AND a % b = 1"
fails = (f"SELECT {guarded} FROM t", f"SELECT count(*) FILTER ({guarded}) FROM t")
works = (
    f"SELECT count(*) FROM t WHERE {guarded}",
    "SELECT CASE WHEN b <> 0 THEN a % b = 1 ELSE false END FROM t",
)
for query in works:
    print(f"{query}\n    {connection.sql(query).fetchall()}")
for query in fails:
    try:
        rows = connection.sql(query).fetchall()
    except duckdb.InvalidInputException as error:
        print(f"{query}\n    {str(error).split('.')[0]}")
    else:
        raise SystemExit(f"gone: {query} gives {rows}")
PYTHON
