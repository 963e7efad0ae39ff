"""`./stormwatch new`: a component, its test, its line in a topology, its page.

`plan` says what would be written, `ScaffoldPlan.diff` shows it, `ScaffoldPlan.write` does it.
"""

from apps.build.scaffold.plan import KINDS, ScaffoldPlan, plan

__all__ = ["KINDS", "ScaffoldPlan", "plan"]
