"""A small client of the API, typed: for other programs, and for the tests.

```python
from apps.serve.client import Client
api = Client("http://127.0.0.1:8765", token="sw_…")
for alert in api.alerts("fraud", status="open"):
    api.act(alert.key, "acknowledge", seen=alert.work.version if alert.work else 0)
```
"""

from collections.abc import Iterator
from typing import Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

import msgspec

from apps.serve import answers
from stormwatch.errors import InfrastructureError, StormwatchError
from stormwatch.people import Work

T = TypeVar("T")
_PUT = ("assignee", "snooze")


class ApiError(StormwatchError):
    """The server refused, with its sentence; `work` is what stands where somebody was quicker."""

    def __init__(self, status: int, problem: answers.Problem) -> None:
        super().__init__(problem.error)
        self.status, self.field, self.work = status, problem.field, problem.work


class Client:
    """Asks one server. Every method raises ApiError, InfrastructureError where none answers."""

    def __init__(self, base: str, token: str = "", timeout_s: float = 30.0) -> None:
        self._base, self._token, self._timeout_s = base.rstrip("/"), token, timeout_s

    def __repr__(self) -> str:
        return f"Client({self._base!r})"

    def alerts(self, domain: str, **filters: object) -> Iterator[answers.Summary]:
        """All alerts, newest first, page after page; `filters` as of GET /v1/alerts."""
        yield from self._pages("/v1/alerts", {"domain": domain, **filters})

    def decisions(self, domain: str, entity: str, **more: object) -> Iterator[answers.Summary]:
        """An entity's decisions, newest event first."""
        yield from self._pages("/v1/decisions", {"domain": domain, "entity": entity, **more})

    def decided(self, domain: str, **filters: object) -> Iterator[answers.Summary]:
        """Decisions of whatever entity, newest first; `filters` as of GET /v1/decided."""
        yield from self._pages("/v1/decided", {"domain": domain, **filters})

    def decision(self, domain: str, entity: str, time: int, id: str) -> answers.Whole:  # noqa: A002
        """One decision whole."""
        asked = {"domain": domain, "entity": entity, "time": time, "id": id}
        return self.ask("/v1/decision", answers.Whole, **asked)

    def cleared(self, domain: str, entity: str, time: int, id: str) -> answers.Cleared:  # noqa: A002
        """What would have cleared an alert."""
        asked = {"domain": domain, "entity": entity, "time": time, "id": id}
        return self.ask("/v1/cleared", answers.Cleared, **asked)

    def mappings(self) -> answers.Mappings:
        """Mappings in force, and names of presets."""
        return self.ask("/v1/mappings", answers.Mappings)

    def equipment_types(self) -> list[answers.EquipmentType]:
        """Kinds of machines that are known."""
        return self.ask("/v1/equipment-types", list[answers.EquipmentType])

    def cluster(self) -> answers.Cluster:
        """Topologies that run on the Storm cluster."""
        return self.ask("/v1/cluster", answers.Cluster)

    def now(self) -> answers.Now:
        """The newest state of all that runs."""
        return self.ask("/v1/now", answers.Now)

    def send(self, events: str, value: bytes) -> str:
        """Write a record of one's own: `payments` or `readings`; its topic/partition/offset."""
        return self._call("POST", f"/v1/{events}", answers.Sent, value).record

    def record(self, at: str) -> answers.Became:
        """What became of a record."""
        return self.ask("/v1/record", answers.Became, at=at)

    def work(self, key: str) -> Work:
        """What was done about an alert."""
        return self.ask(f"/v1/alerts/{quote(key)}/work", Work)

    def act(self, key: str, act: str, seen: int | None = None, **body: object) -> Work:
        """Acknowledge, label … an alert: the last part of the path, and the body's fields.
        `seen`: the version that was seen; None acts on whatever stands."""
        return self._call(
            "PUT" if act in _PUT else "POST", f"/v1/alerts/{quote(key)}/{act}", Work,
            msgspec.json.encode(body), {"If-Match": "*" if seen is None else f'"{seen}"'},
        )  # fmt: skip

    def ask(self, path: str, kind: type[T], **asked: object) -> T:
        """Any question by GET, its answer as `kind`."""
        return self._call("GET", path + (f"?{urlencode(asked)}" if asked else ""), kind)

    def _pages(self, path: str, asked: dict[str, object]) -> Iterator[answers.Summary]:
        while True:
            page = self.ask(path, answers.Page, **asked)
            yield from page.decisions
            if page.next is None:
                return
            asked["after"] = page.next

    def _call(
        self, method: str, path: str, kind: type[T], body: bytes | None = None,
        more: dict[str, str] | None = None,
    ) -> T:  # fmt: skip
        headers = {"Accept": "application/json", **(more or {})}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if body is not None:
            headers |= {"Content-Type": "application/json", "X-Stormwatch": "1"}
        asked: Any = Request(self._base + path, data=body, headers=headers, method=method)
        try:
            with urlopen(asked, timeout=self._timeout_s) as answer:
                return msgspec.json.decode(answer.read(), type=kind)
        except HTTPError as error:
            with error:
                raise ApiError(error.code, _problem(error.read())) from None
        except (URLError, OSError) as error:
            raise InfrastructureError(f"{self._base} does not answer: {error}.") from error


def _problem(body: bytes) -> answers.Problem:
    try:
        return msgspec.json.decode(body, type=answers.Problem)
    except msgspec.MsgspecError:
        return answers.Problem(body[:200].decode(errors="replace"))
