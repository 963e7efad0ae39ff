"""Where the reading of a partition goes on, and in which stretch. Pure; docs/decisions/0007."""

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from stormwatch.ingest.commit_metadata import Mark, is_of
from stormwatch.ports import Committed, Watermarks
from stormwatch.stretches import Stretch, newest

NEW = -1
"""The incarnation of a stretch that is to be given one."""


class Place(NamedTuple):
    """A partition as it was found at a start."""

    partition: int
    group: str
    commit: Committed | None
    mark: Mark | None  # of the commit, None where it is not ours
    stretches: tuple[Stretch, ...]  # that are known of it, of this log
    held: Watermarks
    cut: int | None  # from this offset on it is not the log that was read


class Plan(NamedTuple):
    """What follows. `mark`: the last run's, where reading goes on from its commit."""

    offset: int
    stretch: Stretch
    mark: Mark | None
    said: str  # a sentence for the operator, "" where nothing is to be said


def plan(place: Place, log: str, topic: str) -> Plan:
    """Go on where what was read ends; never beyond it without saying so."""
    last, where = newest(place.stretches), f"{topic}[{place.partition}]"
    ours = is_of(place.mark, log, list(place.stretches))
    if place.commit is not None and place.mark is not None and not ours and place.mark.log != log:
        return _other_log(place, where)
    if place.cut is not None and last is not None:
        return _was_cut(place, last, place.cut, where)
    at = place.commit.offset if place.commit is not None else place.held.low
    if place.commit is None and last is not None:
        at = min(at, last.position)  # what Kafka deleted since is expired
    if ours and last is not None and place.mark is not None and place.commit is not None:
        as_written = place.mark.offset in (-1, at)
        if as_written and last.of(place.mark.epoch):
            return Plan(at, last, place.mark, "")
        before = next((each for each in place.stretches if each.of(place.mark.epoch)), last)
        if as_written and at >= before.believed_to:  # cut at a start that did not come to commit
            return Plan(last.position, last, None, "")
    return _moved(place, last, at, where)


def _other_log(place: Place, where: str) -> Plan:
    """The commit says nothing of this log: go on in what is known of it, else begin."""
    last, low, group = newest(place.stretches), place.held.low, place.group
    offset = place.commit.offset if place.commit else 0
    said = (
        f"{where}: the offset {offset} of group {group!r} is of another log (the topic was deleted "
        "and made again, or the topic or the Kafka is another one)"
    )
    if last is not None and low <= last.position <= place.held.high:
        return Plan(last.position, last, None, f"{said}; of this one, reading goes on where it "
                    f"had come to, at offset {last.position}.")  # fmt: skip
    return Plan(
        low, _stretch(place, low, low), None,
        f"{said}: this one is read from its oldest record, offset {low}, on.",
    )  # fmt: skip


def _was_cut(place: Place, last: Stretch, cut: int, where: str) -> Plan:
    at = place.held.low if place.commit is None else place.commit.offset
    begin = max(min(at, cut), place.held.low)
    return Plan(
        begin, _stretch(place, begin, begin), None,
        f"{where}: from offset {cut} on this is not the log that was read up to offset "
        f"{max(at, last.position)}: it was cut there and perhaps written again. It is read anew "
        f"from offset {begin} on; what stands below {cut} stays decided.",
    )  # fmt: skip


def _moved(place: Place, last: Stretch | None, at: int, where: str) -> Plan:
    low, high = place.held
    if last is None:
        if place.commit is None or at <= low:
            return Plan(at, _stretch(place, at, at), None, "")
        begin, said = min(at, high), f"{where}: group {place.group!r} stands at offset {at}, but "
        if at > high:
            said += f"the log ends at {high}: reading begins there"
        else:
            said += "this store has nothing of this log"
        if begin > low:
            said += (
                f"; offsets {low} to {begin - 1} count as unread. To have them decided, stop the "
                "topology, set the group back (kafka-consumer-groups.sh --reset-offsets) and start "
                "again"
            )
        return Plan(begin, _stretch(place, begin, low), None, f"{said}.")
    if last.first <= at <= last.position:
        return Plan(at, last, None, "")
    if at < last.first:
        said = "" if place.commit is None else (
            f"{where}: group {place.group!r} was set back to offset {at}: what is decided from "
            "there on is passed over, what was unread is decided."
        )  # fmt: skip
        return Plan(at, _stretch(place, at, at), None, said)
    begin = max(min(at, high), last.position)
    if begin == last.position:
        return Plan(begin, last, None, "")
    return Plan(
        begin, _stretch(place, begin, last.position), None,
        f"{where}: group {place.group!r} was moved on to offset {at} by hand; reading had come to "
        f"{last.position}. What lies between without an end state counts as unread "
        "(`./stormwatch ledger`). To have it decided, stop the topology, set the group back to "
        f"{last.position} and start again.",
    )  # fmt: skip


def _stretch(place: Place, first: int, skipped: int) -> Stretch:
    nth = max((each.nth for each in place.stretches), default=-1) + 1
    return Stretch(place.partition, NEW, nth, first, skipped, position=first)


def below(stretches: Sequence[Stretch], cut: int) -> list[Stretch]:
    """The stretches as they are believed of a log that was cut at an offset."""
    return [replace(each, believed_to=min(each.believed_to, cut)) for each in stretches]
