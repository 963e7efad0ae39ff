#!/usr/bin/env bash
# cel-python cannot compare an int with a double: `amount > 99.5` raises for an amount of 100.
#
# A good engineer would guess: true. The CEL specification compares int, uint and double with each other as points on
# one number line. Here a rule whose bound is edited from 99 to 99.5 stops working, and only when it is evaluated,
# not when it is compiled.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check cel-python==0.5.0
venv/bin/python -W ignore - <<'PYTHON'
from importlib.metadata import version

import celpy

print("cel-python", version("cel-python"))
environment = celpy.Environment()


def evaluate(text: str) -> object:
    program = environment.program(environment.compile(text))
    return program.evaluate({"amount": celpy.celtypes.IntType(100)})


assert evaluate("amount > 99") and evaluate("double(amount) > 99.5")
print("amount > 99 and double(amount) > 99.5: true")
for text in ("amount > 99.5", "1 == 1.0", "1 < 2u"):
    try:
        value = evaluate(text)
    except celpy.CELEvalError as error:
        print(f"{text}: {str(error.args[0])[:70]}…")
    else:
        raise SystemExit(f"gone: {text} is {value}")
PYTHON
