"""`map`: a mapping for records of somebody else's format, proposed, or tried."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli import app as shared
from apps.data.printable import lines_shown, shown

if TYPE_CHECKING:
    from apps.data.proposal import Answers, Proposal, Question
    from apps.data.samples import Sample
    from stormwatch.parsing.mapping import Csv, Mapped

_OPTIONS = {
    "event": "--event", "entity": "--entity", "currency": "--currency", "zone": "--zone",
    "amount_unit": "--amount-unit", "time": "--time", "form": "--form", "since": "--since",
    "step_s": "--step-seconds",
}  # fmt: skip


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        name="map",
        epilog=shared.example(
            "map payments.csv",
            "map pumps.csv --zone UTC --yes --out pumps.toml",
            "map --check payments.toml payments.csv",
        ),
        short_help="Propose a mapping for your own records; try one.",
    )(propose)


def propose(
    file: Annotated[Path | None, typer.Argument(exists=True, dir_okay=False)] = None,
    topic: Annotated[str, typer.Option(help="Look at this topic's newest records.")] = "",
    check: Annotated[
        str, typer.Option(metavar="MAPPING", help="Only try this mapping: a file, or preset:NAME.")
    ] = "",
    event: Annotated[str, typer.Option(help="transactions or readings.")] = "",
    entity: Annotated[str, typer.Option(help="Column of the card, account or machine.")] = "",
    currency: Annotated[str, typer.Option(help="Of all amounts, such as EUR.")] = "",
    amount_unit: Annotated[str, typer.Option(help="major (12.50) or minor (1250).")] = "",
    zone: Annotated[str, typer.Option(help="Of local times, such as Europe/Berlin.")] = "",
    time: Annotated[str, typer.Option(help="Column of the time.")] = "",
    form: Annotated[str, typer.Option(help="Pattern of the time, as strptime has it.")] = "",
    since: Annotated[str, typer.Option(help="Time of step 0, where steps are counted.")] = "",
    step_seconds: Annotated[str, typer.Option(help="Seconds of a step.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing; accept.")] = False,
    out: Annotated[Path | None, typer.Option(help="By default NAME.toml of the file.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite.")] = False,
) -> None:
    """Look at records of your own, and propose a mapping that makes events of them.

    At most 10,000 records are read, for at most 5 seconds; nothing is sent. What the records do not
    tell is asked on a terminal, else given by options. Shown are the reasons, ten records as
    events, and what is refused. With --check a mapping is only tried: exit code 1 if it refuses a
    record. docs/your-data.md tells more.
    """
    from apps.data import mappings, samples
    from apps.data.proposal import Answers
    from stormwatch.errors import SettingsError
    from stormwatch.parsing.mapping import Csv

    if (file is None) == (not topic):
        raise typer.BadParameter("Give a FILE, or a topic by --topic: exactly one of them.")
    if check:
        mapped, made = mappings.ready(check)
        sample = samples.of_file(file, mapped.csv) if file else _of_topic(topic)
        refused = _tell(mapped, made, sample, topic)
        raise typer.Exit(1 if refused else 0)
    target = out or Path(f"{file.name.partition('.')[0] if file else topic}.toml")
    if target.exists() and not force:
        raise SettingsError(f"{target} is there already: name another by --out, or say --force.")
    csv = samples.told_csv(file) if file else Csv()
    sample = samples.of_file(file, csv) if file else _of_topic(topic)
    answers = Answers(
        event, entity, currency.upper(), amount_unit, zone, time, form, since, step_seconds
    )
    ask = sys.stdin.isatty() and not yes
    proposal = _answered(sample, answers, ask)
    text = _text(proposal, sample, csv, file.name if file else f"topic {topic}", target)
    mapped, made = mappings.ready(text)
    if topic:
        _on_topic(proposal, sample, mapped, topic)
        text = _text(proposal, sample, csv, f"topic {topic}", target)
        mapped, made = mappings.ready(text)
    for line in (*proposal.notes, *(f"{one.table}: {one.reason}" for one in proposal.guesses)):
        print(shown(line))
    for path, why in proposal.left:
        print(shown(f"not used: `{path}`, {why}"))
    _tell(mapped, made, sample, topic)
    if ask and not typer.confirm(f"Write {target}?", default=True):
        raise typer.Exit(1)
    target.write_text(text)
    print(f"{target} is written. {_next(made, target, file)}")


def _of_topic(topic: str) -> "Sample":
    from contextlib import closing

    from apps.data import samples
    from stormwatch.adapters import connect

    with closing(connect.source(shared.answered("kafka"), topic)) as source:
        return samples.of_topic(source, topic)


def _answered(sample: "Sample", answers: "Answers", ask: bool) -> "Proposal":
    """A proposal without open questions. Raises SettingsError where they may not be asked."""
    from apps.data import mappings
    from apps.data.proposal import propose as proposed
    from stormwatch.errors import SettingsError

    while True:
        proposal = proposed(sample.flat, answers, mappings.TARGETS)
        if not proposal.questions:
            return proposal
        if not ask:
            raise SettingsError(
                "The records do not tell all:\n"
                + "\n".join(
                    f"  {_OPTIONS[one.about]}: {_in_full(one)}" for one in proposal.questions
                )
            )
        question = proposal.questions[0]
        said = typer.prompt(shown(_in_full(question)), type=str)
        answers = answers._replace(**{question.about: said.strip()})


def _in_full(question: "Question") -> str:
    return question.text + (f" ({' or '.join(question.choices)})" if question.choices else "")


def _on_topic(proposal: "Proposal", sample: "Sample", mapped: "Mapped", topic: str) -> None:
    """What the mapping says of its topic."""
    from apps.data import samples

    if topic != getattr(shared.settings(), f"topic_{proposal.event}"):
        proposal.top["topic"] = topic
    if samples.why_not_keyed(sample.records, mapped):
        proposal.top["rekey"] = True


def _text(proposal: "Proposal", sample: "Sample", csv: "Csv", name: str, target: Path) -> str:
    import os

    from apps.data.mapping_text import written
    from apps.data.proposal import Guess

    if csv.names:
        keys = {"delimiter": csv.delimiter, "names": csv.names}
        reason = "the first line holds only numbers, so it is no header: name the columns"
        proposal.guesses.append(Guess("csv", keys, reason))
    if sample.envelope != "none":
        proposal.top["envelope"] = sample.envelope
    head = f"Proposed by ./stormwatch map for {name}, of {len(sample.records):,} records."
    schema = shared.ROOT / "schema" / "mapping.schema.json"
    inside = target.resolve().is_relative_to(shared.ROOT)
    return written(
        proposal, head, os.path.relpath(schema, target.resolve().parent) if inside else str(schema)
    )


def _tell(mapped: "Mapped", events: str, sample: "Sample", topic: str) -> int:
    """What the mapping makes of the sample, as lines; how many records are refused."""
    from apps.data import mappings, samples

    outcome = mappings.applied(mapped, (record.value for record in sample.records))
    for made in outcome.events:
        print(lines_shown(mappings.in_a_line(made)))
    refused = sum(outcome.refused.values())
    good = outcome.rows - refused - outcome.ignored
    print(f"{good:,} of {outcome.rows:,} records are {events}.")
    if outcome.ignored:
        print(f"{outcome.ignored:,} are ignored, as the mapping says.")
    for code, count in outcome.refused.items():
        example = lines_shown(outcome.examples[code].reason)
        print(f"{count:,} refused as {code}, for example: {example}")
    if topic and (why := samples.why_not_keyed(sample.records, mapped)):
        print(
            f"The topic is not keyed by the entity: {why}. Its mapping needs rekey = true, and the "
            "settings topology.chain = true (docs/your-data.md, Several topics)."
        )
    return refused


def _next(events: str, mapping: Path, file: Path | None) -> str:
    from stormwatch.settings import variable

    if mapping.resolve().is_relative_to(shared.ROOT):  # where everything else is started
        mapping = mapping.resolve().relative_to(shared.ROOT)
    else:
        mapping = mapping.resolve()
    name = variable(f"mapping.{events}")
    topology: Any = {"transactions": "fraud", "readings": "maintenance"}[events]
    tried = f"./stormwatch dev {topology} {file}" if file else f"sparse run -n {topology}"
    return f"Next: {name}={mapping} {tried}"
