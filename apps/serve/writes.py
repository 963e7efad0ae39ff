"""What people may do by the API, as data; `apps.operate.casework` does it."""

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from apps.operate.casework import TEXT, Desk
from apps.serve.reader import alert_of
from apps.serve.route import Asker, Nothing, Route
from stormwatch.people import ANALYST, Work

Key = Annotated[
    str, Meta(min_length=1, max_length=8_000, description="`key` of an alert in a list.")
]


class OneAlert(msgspec.Struct, forbid_unknown_fields=True):
    """Parameters of what is done about one alert."""

    key: Key


class Comment(msgspec.Struct, forbid_unknown_fields=True):
    """What somebody has to say."""

    text: Annotated[str, Meta(min_length=1, max_length=TEXT)]


class Assignee(msgspec.Struct, forbid_unknown_fields=True):
    """Whose it is; empty: nobody's."""

    to: Annotated[str, Meta(max_length=64)]


class Snooze(msgspec.Struct, forbid_unknown_fields=True):
    """Until when it sleeps, ms; 0 wakes it."""

    until: Annotated[int, Meta(ge=0)]


class Label(msgspec.Struct, forbid_unknown_fields=True):
    """What became known of a payment."""

    label: Annotated[str, Meta(description="fraud, chargeback or cleared", max_length=20)]


def writes(desk: Desk) -> list[Route]:
    """All acts on alerts. Each answers with what stands then."""

    def route(
        name: str, body: type[Any], says: str, act: Callable[..., Work], method: str = "POST"
    ) -> Route:
        def of(asked: OneAlert, body: Any, by: Asker) -> Work:
            domain, key = alert_of(asked.key)
            return act(domain, key, by.who, by.seen, *msgspec.structs.astuple(body))

        return Route(
            f"/v1/alerts/{{key}}/{name}", OneAlert, Work, says, of, method=method, body=body,
            role=ANALYST, versioned=True,
        )  # fmt: skip

    return [
        Route("/v1/alerts/{key}/work", OneAlert, Work, "What was done about an alert.",
              lambda asked: desk.work(*alert_of(asked.key)), versioned=True),
        route("acknowledge", Nothing, "Somebody looks at it.", desk.acknowledge),
        route("reopen", Nothing, "Undo acknowledge, close and snooze.", desk.reopen),
        route("close", Nothing, "Nothing more is to be done.", desk.close),
        route("comments", Comment, "Say something about it.", desk.comment),
        route("label", Label, "Tell what the payment was: to the topic of labels.", desk.label),
        route("assignee", Assignee, "Hand it to somebody.", desk.assign, "PUT"),
        route("snooze", Snooze, "Leave it until then.", desk.snooze, "PUT"),
    ]  # fmt: skip
