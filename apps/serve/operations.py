"""For whoever is on call or owns rules: what is in force, and where it comes from."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from apps.operate.missing import NotFound
from apps.operate.rollout import view
from apps.serve import answers
from apps.serve.reader import Domain, Reader, known
from apps.serve.route import Nothing, Route
from stormwatch.errors import SettingsError
from stormwatch.settings import explain


class OneDomain(msgspec.Struct, forbid_unknown_fields=True):
    """Parameters of what is in force."""

    domain: Domain = "fraud"


def in_force(reader: Reader, root: Path, clock: Callable[[], int]) -> list[Route]:
    """The questions about it."""

    def rollout(asked: OneDomain) -> view.InForce:
        known(asked.domain)
        try:
            return view.view(reader.settings, reader.archive, asked.domain, clock())
        except SettingsError as error:  # a domain without rules or models that can be changed
            raise NotFound(str(error)) from error

    def settings(_: Nothing) -> list[answers.Setting]:
        return [
            answers.Setting(value.key, str(value.value), value.source, value.help)
            for value in explain(root=root)
        ]

    return [
        Route("/v1/settings", Nothing, list[answers.Setting],
              "The settings of this server, each with its source; secrets masked.", settings),
        Route("/v1/rollout", OneDomain, view.InForce,
              "Rules and models of a domain as they are in force, and what they did.", rollout),
    ]  # fmt: skip
