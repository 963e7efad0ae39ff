"""The dead-letter queue by the API: list, one, send again, mark as done."""

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from apps.operate.casework import audited
from apps.operate.dlq import redrive
from apps.operate.dlq.letters import Letter, Wanted, by_name, find
from apps.operate.dlq.redrive import Result
from apps.operate.dlq.session import redrive_all
from apps.operate.domains import chosen
from apps.operate.missing import NotFound
from apps.serve import answers
from apps.serve.reader import LIMIT, Domain, Reader, known
from apps.serve.route import Asker, Nothing, Route
from stormwatch.dead_letters import redaction
from stormwatch.errors import SettingsError
from stormwatch.people import OPERATOR

AT_ONCE = 100
"""Records that one request sends again."""
_Word = Annotated[str, Meta(max_length=100)]
Name = Annotated[str, Meta(max_length=400, description="topic/partition/epoch/offset")]


class ListLetters(msgspec.Struct, forbid_unknown_fields=True):
    """Parameters of a list of dead letters, newest first."""

    domain: Domain
    code: Annotated[str, Meta(max_length=100, description="e.g. not_json")] = ""
    component: _Word = ""
    state: Annotated[str, Meta(max_length=100, description="rejected, late, …")] = ""
    done: Annotated[bool, Meta(description="Also those re-driven or discarded.")] = False
    limit: Annotated[int, Meta(ge=1, le=LIMIT, description="Rows at most.")] = 50


class OneLetter(msgspec.Struct, forbid_unknown_fields=True):
    """Parameters of one dead letter."""

    record: Name


class Chosen(msgspec.Struct, forbid_unknown_fields=True):
    """Which records, and why."""

    records: Annotated[list[Name], Meta(min_length=1, max_length=AT_ONCE)]
    note: Annotated[str, Meta(max_length=1_000)] = ""


def letters(reader: Reader, clock: Callable[[], int]) -> list[Route]:
    """The routes."""
    archive, settings = reader.archive, reader.settings
    masked = redaction.names(settings.mask_fields)

    def shown(letter: Letter) -> answers.Letter:
        return msgspec.convert(letter.shown(masked), answers.Letter)

    def listed(asked: ListLetters) -> answers.Letters:
        known(asked.domain)
        wanted = Wanted(
            asked.code or None, asked.component or None, asked.state or None, asked.done
        )
        found = find(archive, chosen(settings, asked.domain), wanted, asked.limit)
        return answers.Letters([shown(letter) for letter in found])

    def named(name: str) -> Letter:
        try:
            return by_name(archive, settings, name)
        except SettingsError as error:
            raise NotFound(str(error)) from error

    def acting(
        act: str, do: Callable[[list[Letter], redrive.Who], list[Result]]
    ) -> Callable[[Nothing, Chosen, Asker], answers.Redriven]:
        def of(_: Nothing, body: Chosen, by: Asker) -> answers.Redriven:
            target = " ".join(body.records)
            with audited(archive, by.who, f"letters.{act}", target, body.note, clock()):
                some = [named(name) for name in dict.fromkeys(body.records)]
                results = do(some, redrive.Who(by.who.name, body.note, clock))
            return answers.Redriven([
                answers.RedrivenOne(r.letter.name, r.done, r.told) for r in results
            ])  # fmt: skip

        return of

    def route(name: str, says: str, of: Any) -> Route:
        return Route(f"/v1/letters/{name}", Nothing, answers.Redriven, says, of, method="POST",
                     body=Chosen, role=OPERATOR)  # fmt: skip

    return [
        Route("/v1/letters", ListLetters, answers.Letters,
              "Dead letters with what was done about them, newest first.", listed),
        Route("/v1/letter", OneLetter, answers.Letter, "One dead letter.",
              lambda asked: shown(named(asked.record))),
        route("redrive", "Send records again, each at most once.",
              acting("redrive", lambda some, who: redrive_all(settings, archive, some, who))),
        route("discard", "Mark records as needing nothing more.",
              acting("discard", lambda some, who: redrive.discard(archive, some, who))),
    ]  # fmt: skip
