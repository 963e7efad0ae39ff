"""Rules about how components are wired; each takes a topology's name and class."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from stormwatch.adapters.storm.component import StrictComponent
from stormwatch.adapters.storm.wiring.finding import Finding, error, warning

_STORM_TIMEOUT_S = 30
_TICK = "topology.tick.tuple.freq.secs"


def refused(name: str, problem: Exception) -> Finding:
    """What streamparse says while the class is made."""
    if isinstance(problem, KeyError) and problem.args == (None,):
        what = "an input reads a component that no attribute of the class holds"
        mend = "give each component an attribute of its own, and none of them twice"
    elif isinstance(problem, KeyError):
        what = f"an input names the component or stream {problem}, which nobody declares"
        mend = "declare the stream in the source's `outputs`, or correct the name"
    else:
        what = str(problem)
        mend = "group by a field of the source's `outputs`"
    field = isinstance(problem, KeyError) or "Field" in what
    return error(
        "SW101" if field else "SW100", f"topologies/{name}.py", what,
        "the topology cannot be built: nothing starts", mend,
    )  # fmt: skip


def unknown_field(name: str, topology: Any) -> Iterable[Finding]:
    """SW101: fields grouping on a field that the source does not declare."""
    specs = {spec.name: spec for spec in topology.specs}
    for spec in topology.specs:
        for source, grouping in spec.inputs.items():
            known = specs[source.componentId].outputs[source.streamId].output_fields
            for field in set(grouping.fields or ()) - set(known):
                yield error(
                    "SW101", f"{name}.{spec.name}",
                    f"groups by {field!r}, which {source.componentId} does not declare "
                    f"on {source.streamId!r}",
                    "Storm refuses the topology", f"group by one of: {', '.join(known)}",
                )  # fmt: skip


def state_key(name: str, topology: Any) -> Iterable[Finding]:
    """SW102: a bolt that keeps states by a key is reached by another one."""
    for spec in topology.specs:
        key = set(getattr(spec.component_cls, "state_key", ()))
        if not key:
            continue
        for source, grouping in spec.inputs.items():
            fields = set(grouping.fields or ())
            together = grouping.fields is not None and fields <= key  # no field: one task for all
            if together:
                continue
            told = (
                f"keeps states by {', '.join(sorted(key))}, but reads {source.componentId} by "
                f"{'fields ' + ', '.join(sorted(fields)) if fields else 'shuffle or another way'}"
            )
            effect = "one entity's events reach several processes, each with a state of its own"
            by = ", ".join(map(repr, sorted(key)))
            mend = f"inputs={{{source.componentId}: Grouping.fields({by})}}"
            kind = error if _par(spec) > 1 else warning
            yield kind("SW102", f"{name}.{spec.name}", told, effect, mend)


def idle_spouts(name: str, topology: Any) -> Iterable[Finding]:
    """SW103: more tasks of a Kafka spout than partitions."""
    partitions = topology.config.get("stormwatch.kafka.partitions")
    for spec in topology.specs:
        reads = hasattr(spec.component_cls, "topic_setting")
        par = _par(spec)
        if reads and partitions is not None and par > partitions:
            yield warning(
                "SW103", f"{name}.{spec.name}",
                f"has {par} tasks for {partitions} partitions (kafka.partitions)",
                f"{par - partitions} processes have nothing to read and waste memory",
                f"set par to {partitions} at most, or raise kafka.partitions",
            )  # fmt: skip


def flush_interval(name: str, topology: Any) -> Iterable[Finding]:
    """SW104: what waits for a tick is acked after its time-out."""
    limit = topology.config.get("topology.message.timeout.secs", _STORM_TIMEOUT_S)
    for spec in topology.specs:
        cls = spec.component_cls
        tick = _config(spec).get(_TICK, topology.config.get(_TICK))
        ticks = getattr(cls, "ticks_between_batches", None)
        waits = getattr(cls, "secs_between_batches", None)
        if waits is None and ticks is not None and tick is not None:
            waits = tick * (ticks + 1)  # pystorm's BatchingBolt fires on the tick after
        batching = waits is not None
        waits = waits if batching else tick
        if waits is None or waits < limit:
            continue
        kind = error if batching else warning
        yield kind(
            "SW104", f"{name}.{spec.name}",
            f"flushes after up to {waits} s, and a message times out after {limit} s",
            "every tuple fails before it is acked and comes again, for ever" if batching
            else "what the bolt does on a tick comes later than the tuples' time-out",
            f"a shorter interval ({_TICK}), or a longer topology.message_timeout_s",
        )  # fmt: skip


def unread_outputs(name: str, topology: Any) -> Iterable[Finding]:
    """SW105: a declared stream that no bolt reads; an error where each record has to be accounted.

    Plain streamparse bolts often declare what they never emit: for them it is a warning.
    """
    read = {
        (source.componentId, source.streamId) for spec in topology.specs for source in spec.inputs
    }
    for spec in topology.specs:
        optional = getattr(spec.component_cls, "optional_streams", ())
        unread = [
            stream
            for stream in spec.outputs
            if (spec.name, stream) not in read and stream not in optional
        ]
        if unread:
            kind = error if issubclass(spec.component_cls, StrictComponent) else warning
            streams = ", ".join(map(repr, unread))
            yield kind(
                "SW105", f"{name}.{spec.name}", f"nobody reads {streams} of it",
                "Storm acks what is emitted to no one: it is lost in silence",
                f"give a bolt inputs=[{spec.name}[{unread[0]!r}]], or take the stream from "
                "`outputs`",
            )  # fmt: skip


def _config(spec: Any) -> Mapping[str, Any]:
    found = spec.config
    return (json.loads(found) if isinstance(found, str) else found) or {}


def _par(spec: Any) -> int:
    """The most tasks that it has in any environment."""
    return max(spec.par.values()) if isinstance(spec.par, dict) else int(spec.par)
