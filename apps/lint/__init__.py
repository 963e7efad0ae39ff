"""What is wrong with a topology before Storm is started: findings, each with code and mend."""

from apps.lint.finding import Finding, Severity
from apps.lint.loading import load
from apps.lint.run import check, lint

__all__ = ["Finding", "Severity", "check", "lint", "load"]
