"""The API's questions as data: path, parameters, answer. Handlers and OpenAPI are made of them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from apps.serve import answers
from apps.serve.fleet import FleetReader, ListFleet
from apps.serve.live import Live
from apps.serve.reader import ListAlerts, ListAsides, ListDecisions, OneDecision, Reader

VERSION = "1"


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """A question without parameters."""


class Route(NamedTuple):
    """A question that may be asked by GET."""

    path: str
    asked: type[Any]  # a Struct: the parameters
    answer: Any
    says: str
    of: Callable[[Any], Any]
    quick: bool = False  # answered from what is in memory: no thread is needed


def routes(reader: Reader, live: Live, topologies: list[answers.Topology]) -> list[Route]:
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
        Route("/v1/alerts", ListAlerts, answers.Page,
              "A domain's alerts, newest first.", reader.alerts),
        Route("/v1/decisions", ListDecisions, answers.Page,
              "The decisions of one customer or machine, newest event first.", reader.decisions),
        Route("/v1/decision", OneDecision, answers.Whole,
              "One decision whole: features, reasons, versions, ledger, and the record.",
              reader.decision),
        Route("/v1/fleet", ListFleet, answers.Fleet,
              "The machines that are known, each as of its newest reading.", fleet.fleet),
        Route("/v1/set-aside", ListAsides, answers.Asides,
              "The newest records that were not decided, and why.", reader.asides),
    ]  # fmt: skip


def openapi(all_routes: list[Route]) -> dict[str, Any]:
    """The OpenAPI 3.1 document of the routes."""
    answers_of = [route.answer for route in all_routes] + [answers.Problem]
    schemas, components = msgspec.json.schema_components(
        answers_of, ref_template="#/components/schemas/{name}"
    )
    problem = {"application/json": {"schema": schemas[-1]}}
    paths = {}
    for route, schema in zip(all_routes, schemas, strict=False):
        paths[route.path] = {
            "get": {
                "summary": route.says,
                "parameters": list(_parameters(route.asked)),
                "responses": {
                    "200": {
                        "description": "The answer.",
                        "content": {"application/json": {"schema": schema}},
                    },
                    "404": {"description": "There is no such thing.", "content": problem},
                    "422": {"description": "A parameter cannot be used.", "content": problem},
                    "503": {"description": "Kafka or the store is away.", "content": problem},
                },
            }
        }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Stormwatch", "version": VERSION,
                 "description": "What was decided of each record, and why. All of it is read only. "
                 "Server-sent events of the newest state: /v1/events."},
        "paths": paths,
        "components": {"schemas": components},
    }  # fmt: skip


def _parameters(asked: type[Any]) -> Any:
    (_, components) = msgspec.json.schema_components([asked])
    whole = components[asked.__name__]
    for name, described_schema in whole["properties"].items():
        schema = dict(described_schema)
        described = {"description": text} if (text := schema.pop("description", "")) else {}
        yield {
            "name": name, "in": "query", "required": name in whole["required"], "schema": schema,
        } | described  # fmt: skip
