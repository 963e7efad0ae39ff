"""What is wrong with a topology before Storm is started: findings, each with code and mend."""

from apps.build.lint.loading import load
from apps.build.lint.run import check, lint
from stormwatch.adapters.storm.wiring import Finding, Severity

__all__ = ["Finding", "Severity", "check", "lint", "load"]
