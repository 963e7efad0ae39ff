"""The API's questions as data: path, parameters, answer. Handlers and OpenAPI are made of them."""

from pathlib import Path
from typing import Any

import msgspec

from apps.operate.casework import Desk
from apps.serve import answers, catalogue, curves, decided, rolling
from apps.serve.export import FORMATS, exports
from apps.serve.fleet import FleetReader, ListFleet
from apps.serve.letters import letters
from apps.serve.live import Live
from apps.serve.operations import settings_in_force
from apps.serve.profile import profiles
from apps.serve.reader import ListAlerts, ListAsides, ListDecisions, OneDecision, Reader
from apps.serve.records import records
from apps.serve.route import Nothing, Raw, Route
from apps.serve.writes import writes

VERSION = "1"


def routes(
    reader: Reader,
    live: Live,
    topologies: list[answers.Topology],
    desk: Desk,
    root: Path,
) -> list[Route]:
    """All questions there are."""
    fleet = FleetReader(reader.archive)
    return [
        Route("/v1/streams", Nothing, list[answers.Stream],
              "The topologies, their topics and which outcomes are alerts.",
              lambda _: reader.streams()),
        Route("/v1/topologies", Nothing, list[answers.Topology],
              "The wiring of the topologies, from their classes.", lambda _: topologies, True),
        Route("/v1/now", Nothing, answers.Now,
              "Rates, latencies, newest alerts and ledgers of all that runs.",
              lambda _: live.now, True),
        Route("/v1/history", Nothing, answers.History,
              "The last hour's figures, a point every five seconds.",
              lambda _: live.history, True),
        Route("/v1/costs", Nothing, list[answers.Costs],
              "What a record costs in each running topology, hop by hop, over the last seconds; "
              "and what to change first.", lambda _: live.costs, True),
        Route("/v1/alerts", ListAlerts, answers.Page,
              "A domain's alerts, newest first.", reader.alerts),
        Route("/v1/decisions", ListDecisions, answers.Page,
              "The decisions of one customer or machine, newest event first.", reader.decisions),
        decided.route(reader),
        curves.route(reader),
        Route("/v1/decision", OneDecision, answers.Whole,
              "One decision whole: features, reasons, versions, ledger, and the record.",
              reader.decision),
        Route("/v1/cleared", OneDecision, answers.Cleared,
              "What would have cleared an alert, scored again. It may take a second.",
              reader.cleared),
        Route("/v1/fleet", ListFleet, answers.Fleet,
              "The machines that are known, each as of its newest reading.", fleet.fleet),
        Route("/v1/settings", Nothing, list[answers.Setting],
              "The settings of this server, each with its source; secrets masked.",
              lambda _: settings_in_force(root)),
        Route("/v1/set-aside", ListAsides, answers.Asides,
              "The newest records that were not decided, and why.", reader.asides),
        *writes(desk),
        *records(reader, root, desk.clock),
        *letters(reader, desk.clock),
        *profiles(reader, desk.clock),
        *exports(reader),
        *catalogue.routes(reader, root, desk.clock),
        *rolling.routes(reader, desk.clock),
    ]  # fmt: skip


def openapi(all_routes: list[Route]) -> dict[str, Any]:
    """The OpenAPI 3.1 document of the routes."""
    kinds = [
        answers.Problem,
        *(kind for r in all_routes for kind in (r.answer, r.body) if kind not in (None, Raw)),
    ]
    schemas, components = msgspec.json.schema_components(
        kinds, ref_template="#/components/schemas/{name}"
    )
    of = dict(zip(map(str, kinds), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in all_routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, of)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Stormwatch", "version": VERSION,
                 "description": "What was decided of each record, and why. "
                 "Writes carry X-Stormwatch: 1. "
                 "Server-sent events of the newest state: /v1/events."},
        "paths": paths,
        "components": {"schemas": components},
    }  # fmt: skip


def _operation(route: Route, of: dict[str, Any]) -> dict[str, Any]:
    wrong = _json(of[str(answers.Problem)])
    content = _FILES if route.answer is Raw else _json(of[str(route.answer)])
    good: dict[str, Any] = {"description": "The answer.", "content": content}
    if route.versioned:
        good["headers"] = {
            "ETag": {"schema": {"type": "string"}, "description": "The version, for If-Match."}
        }
    problems = {
        str(status): {"description": says, "content": wrong}
        for status, says in _PROBLEMS.items()
        if route.body or status not in _OF_WRITES
    }
    told = {
        "summary": route.says,
        "operationId": _name(route),
        "x-role": route.role,
        "parameters": list(_parameters(route)),
        "responses": {"200": good} | problems,
    }
    if route.body:
        content = _RAW if route.body is Raw else _json(of[str(route.body)])
        told["requestBody"] = {"required": route.body is not Raw, "content": content}
    return told


_RAW = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_FILES = {kind: {"schema": {"type": "string"}} for kind in FORMATS.values()}
_OF_WRITES = (412, 413, 415, 428)
_PROBLEMS = {
    401: "No token, or one that holds no more.", 403: "The role has no such right.",
    404: "There is no such thing.", 412: "Somebody was quicker.", 413: "The request is too large.",
    415: "The body is no JSON.", 422: "A parameter cannot be used.", 428: "If-Match is missing.",
    429: "Too many requests.", 503: "Kafka or the store is away.",
}  # fmt: skip


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _name(route: Route) -> str:
    parts = [part.strip("{}") for part in route.path.split("/") if part and part != "v1"]
    return "_".join([route.method.lower(), *parts]).replace("-", "_")


def _header(name: str, says: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": True, "description": says,
            "schema": {"type": "string"}}  # fmt: skip


def _parameters(route: Route) -> Any:
    asked = route.asked
    (_, components) = msgspec.json.schema_components([asked])
    whole = components[asked.__name__]
    for name, described_schema in whole["properties"].items():
        schema = dict(described_schema)
        described = {"description": text} if (text := schema.pop("description", "")) else {}
        yield {
            "name": name, "in": "path" if f"{{{name}}}" in route.path else "query",
            "required": name in whole["required"], "schema": schema,
        } | described  # fmt: skip
    if route.body:
        yield _header("X-Stormwatch", "1: the mark of a write, which other origins cannot send.")
    if route.body and route.versioned:
        yield _header("If-Match", "The ETag of what was seen; * for whatever stands.")
