"""`./stormwatch new`: a component, its test, its line in a topology, its page.

`plan` says what would be written, `Plan.diff` shows it, `Plan.write` does it.
"""

from apps.build.scaffold.plan import KINDS, Plan, plan

__all__ = ["KINDS", "Plan", "plan"]
