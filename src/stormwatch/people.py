"""What people do about decisions, who they are, and the record of both.

Same contract suite, same adapters as the port `Archive` (tests/contracts/test_people.py). All
times are ms since the epoch, UTC.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from stormwatch.records import day_of

OPEN, ACKNOWLEDGED, CLOSED = "open", "acknowledged", "closed"
VIEWER, ANALYST, OPERATOR = "viewer", "analyst", "operator"
ROLES = (VIEWER, ANALYST, OPERATOR)
"""Each may do what those before it may."""
BEGUN, DONE = "begun", "done"


class AlertKey(NamedTuple):
    """Names one decision of a domain."""

    entity: str
    time: int  # of the event
    id: str

    @property
    def day(self) -> int:
        """The day whose rows it is among."""
        return day_of(self.time)


class Act(msgspec.Struct, frozen=True):
    """One thing that somebody did about an alert."""

    at: int
    who: str
    act: str
    text: str = ""


class Work(msgspec.Struct):
    """What was done about one alert, and how it stands."""

    version: int = 0
    status: str = OPEN
    assignee: str = ""
    snoozed_until: int = 0
    label: str = ""
    label_sent: bool = False  # whether the topic of labels has it
    acts: list[Act] = []  # oldest first

    @property
    def changed(self) -> int:
        """When it was last touched; 0 where it was not."""
        return self.acts[-1].at if self.acts else 0


class Audit(msgspec.Struct, frozen=True):
    """One write by a person or a program. `outcome`: begun, done, or why it was refused."""

    at: int
    nonce: str
    who: str
    role: str
    origin: str
    act: str
    target: str
    detail: str
    outcome: str


class Token(msgspec.Struct, frozen=True):
    """A right to ask the API. The token itself is nowhere: only its hash."""

    name: str
    hash: bytes
    role: str
    created: int
    expires: int
    revoked: int = 0

    def holds(self, now: int) -> bool:
        """Whether it may be used at `now`."""
        return not self.revoked and now < self.expires


class People(Protocol):
    """Every method raises StoreUnavailable when the store does not answer in time. Unlike those of
    the stream, its methods may be called by several threads at once."""

    def works(self, domain: str, keys: Sequence[AlertKey]) -> dict[AlertKey, Work]:
        """What was done about these; untouched ones are left out."""

    def work(self, domain: str, key: AlertKey) -> Work:
        """As it stands after the last confirmed change; version 0 where it is untouched."""

    def put_work(self, domain: str, key: AlertKey, work: Work) -> bool:
        """Store `work` if what stands has the version before it; else nothing, and False.

        After StoreUnavailable it may have been stored all the same.
        """

    def write_audit(self, row: Audit) -> None:
        """Store, or replace the row of the same time and nonce."""

    def audit(self, day: int, limit: int) -> list[Audit]:
        """The newest rows of a day, newest first."""

    def tokens(self) -> list[Token]:
        """All, by name; revoked and expired ones too."""

    def put_token(self, token: Token) -> bool:
        """Store a new one; False where the name is taken."""

    def revoke_token(self, name: str, at: int) -> bool:
        """From now on it does not hold; False where there is none of that name."""
