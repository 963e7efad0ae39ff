"""Rules that people write: conditions as SQL predicates over the fields and features of an event.

`predicate` reads and checks a condition and applies it to a batch; `document` reads a file of
rules; `check` runs the examples that stand beside them.
"""
