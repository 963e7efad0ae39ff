"""`alerts` and `journey`: the newest alerts, and the trace of one record."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli import app as shared

if TYPE_CHECKING:
    from stormwatch.archive import Archive
    from stormwatch.records import DecisionRow
    from stormwatch.settings import Settings


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(
        epilog=shared.example("journey transactions/0/4711"),
        short_help="Trace one record: what became of it, and why.",
    )(journey)
    app.command(
        epilog=shared.example("explain transactions/0/4711", "explain t-000123456"),
        short_help="Explain one decision: why, what adds up, what would have cleared it.",
    )(explain)
    app.command(epilog=shared.example("alerts", "alerts spree --limit 3", "alerts fraud --json"))(
        alerts
    )


def alerts(
    domains: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DOMAIN]...", help="Topologies, or domains of single bolts; all by default."
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many of each, newest first.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the newest stored alerts, with their reasons."""
    from apps.cli.connect import stored
    from apps.data.in_words import in_words
    from apps.data.printable import shown

    with stored(shared.settings()) as archive:
        found = [(name, row) for name in domains or _known() for row in archive.alerts(name, limit)]
    if as_json:
        shared.print_json([
            {"domain": name, "outcome": row.outcome, "entity": row.entity, "id": row.id,
             "time": row.time, "score": row.score, "why": in_words(row),
             "record": _place(row)}
            for name, row in found
        ])  # fmt: skip
        return
    for name, row in found:
        who = f"{row.outcome.upper()} {row.entity} {row.id}"
        print(f"{name:<12} {shown(who)}: {in_words(row)}")
        print(f"{'':<12} {shown(_place(row))}")
    if not found:
        print("No alert is stored yet.")


def journey(
    record: Annotated[str, typer.Argument(help="topic/partition/offset, as in `alerts`.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Trace one record: its ledger rows, decisions with reasons, dead letters."""
    from apps.cli.connect import reader, stored
    from apps.local.dev.load import topology
    from apps.operate.domains import of_topic
    from apps.operate.journey import Place
    from apps.operate.journey import journey as lines
    from apps.serve.records import became
    from stormwatch.adapters import connect

    place = Place.of(record)
    settings = shared.answered("kafka", "store")
    name = of_topic(settings, place.topic).topology
    with stored(settings) as archive:
        if as_json:
            return shared.print_json(became(reader(settings, archive), shared.ROOT, record))
        source = connect.source(settings, place.topic)
        for line in lines(settings, topology(shared.ROOT, name), name, source, archive, place):
            print(line)


def explain(
    record: Annotated[
        str, typer.Argument(help="topic/partition/offset, or the id of one of the newest alerts.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Explain one decision: the record, why in sentences, what adds up to the score, what would
    have cleared it, versions and ledger rows."""
    from contextlib import ExitStack, closing
    from functools import partial

    from apps.cli.connect import stored
    from apps.local.dev.load import topology
    from apps.operate import explain as operate
    from apps.operate.domains import of_topic
    from apps.operate.journey import Place, judged
    from stormwatch.adapters import connect
    from stormwatch.errors import SettingsError
    from stormwatch.partitioner import stripe_of
    from stormwatch.records import DecisionKey

    settings = shared.answered("kafka", "store")
    with ExitStack() as around:
        archive = around.enter_context(stored(settings))
        known = None if "/" in record else operate.find(archive, _known(), record)
        if known is None and "/" not in record:
            raise SettingsError(
                f"None of the newest {operate.NEWEST} alerts has the id {record!r}. Name the "
                "record instead: topic/partition/offset, as ./stormwatch alerts shows it."
            )
        place = operate.place_of(known[1]) if known else Place.of(record)
        name = of_topic(settings, place.topic).topology
        source = around.enter_context(closing(connect.source(settings, place.topic)))
        found = source.peek({place.partition: place.offset}).get(place.partition)
        events = judged(topology(shared.ROOT, name), name, found) if found else {}
        if found and (mapped := operate.mapped_event(settings, place.topic, found)):
            events = {name: [mapped]}
        decided: list[tuple[str, DecisionRow, Any]] = []
        for domain, event in [(each, event) for each, of in events.items() for event in of]:
            stripe = stripe_of(event.entity, settings.layout_stripes)
            key = DecisionKey(stripe, event.entity, event.time, event.id)
            decided += [(domain, row, event) for row in archive.find_decisions(domain, [key])]
        if known and not decided:
            decided = [(*known, None)]
        if as_json:
            return shared.print_json(_wholes(settings, archive, decided))
        read = partial(operate.before, source, place)
        for line in operate.lines(settings, archive, place, found, decided, read):
            print(line)


def _wholes(
    settings: "Settings", archive: "Archive", decided: "list[tuple[str, DecisionRow, Any]]"
) -> list[Any]:
    """As the API answers /v1/decision and /v1/cleared."""
    from apps.cli.connect import reader
    from apps.serve.reader import OneDecision

    asked, found = reader(settings, archive), []
    for domain, row, _ in decided:
        one = OneDecision(domain, row.entity, row.time, row.id)
        found.append({"decision": asked.decision(one), "cleared": asked.cleared(one)})
    return found


def _place(row: "DecisionRow") -> str:
    import msgspec

    from stormwatch.records import Decision

    decision = msgspec.json.decode(row.body, type=Decision)
    return f"{decision.topic}/{decision.partition}/{decision.offset}"


def _known() -> list[str]:
    """Names under which alerts are stored: of the topologies, and of bolts that have their own."""
    from apps.local.dev.load import names
    from apps.operate.domains import own_domains

    return [one for name in names(shared.ROOT) for one in (name, *own_domains(name))]
