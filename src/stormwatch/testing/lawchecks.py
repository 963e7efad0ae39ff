"""What several laws ask of what a component said."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from stormwatch.testing.lawcase import Case, Held, broken
from stormwatch.testing.storm import Message, Said


def settled_once(case: Case, said: Said, sent: Iterable[Message], when: str) -> None:
    """Each input is acked or failed once, and the process lives."""
    alive(case, said.exit_code, said.log, when)
    told = Counter(m["id"] for m in said.of("ack", "fail"))
    expected = [m["id"] for m in sent]
    silent = [one for one in expected if one not in told]
    if silent:
        broken(
            case, f"neither acked nor failed the tuples {', '.join(silent)}{when}",
            "each waits for the message time-out and comes again",
            "ack at the end of process, fail on an InfrastructureError (BatchBolt does both)",
        )  # fmt: skip
    often = sorted(one for one, count in told.items() if count > 1)
    if often:
        broken(
            case, f"acked or failed more than once: {', '.join(often)}{when}",
            "Storm counts an ack as another tuple's: a tree is called done that is not",
            "set auto_ack = auto_fail = False where process acks by itself (BatchBolt does)",
        )  # fmt: skip


def alive(case: Held, code: int, log: str, when: str) -> None:
    """Only Storm's going ended it."""
    if code != 2:
        broken(
            case, f"ended by itself{when}, with code {code}:\n{log[-3000:]}",
            "the worker ends, Storm starts it again, the same comes again",
            "bad data is a result, never an exception; what may pass is an InfrastructureError",
        )  # fmt: skip


def fields_of(component: type) -> Mapping[str, Sequence[str]]:
    """Declared stream -> its fields."""
    outputs = getattr(component, "outputs", None) or []
    if any(isinstance(one, str) for one in outputs):
        return {"default": outputs}
    return {stream.name: stream.fields for stream in outputs}


def as_declared(case: Held, emit: Message) -> None:
    """The stream is declared, and there is a value for each of its fields."""
    fields, stream, values = fields_of(case.component), emit["stream"], len(emit["tuple"])
    if stream not in fields:
        broken(
            case, f"emits on the stream {stream!r}, which it does not declare",
            "Storm ends the worker with \"Unknown stream ID\"",
            f"add Stream([…], name={stream!r}) to `outputs`",
        )  # fmt: skip
    if values != len(fields[stream]):
        broken(
            case, f"emits {values} values on {stream!r}, which has {len(fields[stream])} fields",
            "Storm ends the worker with \"Tuple created with wrong number of fields\"",
            "emit one value for each declared field, in their order",
        )  # fmt: skip


def silent(case: Held, written: Sequence[bytes]) -> None:
    """Nothing was written to stdout."""
    if written:
        broken(
            case, f"wrote to stdout: {b''.join(written)[:80]!r}",
            "stdout is the pipe to Storm: what does not belong there breaks the protocol",
            "use self.logger.info(…)",
        )  # fmt: skip


def same_effects(
    case: Case, before: Mapping[str, object], after: Mapping[str, object], who: str
) -> None:
    """Nothing outside is otherwise than before (see `ports.effects`)."""
    changed = [place for place in before if before[place] != after[place]]
    if changed:
        broken(
            case, f"had another effect on {', '.join(changed)} when batches came again to {who}",
            "at least once delivery counts records twice",
            "write by keys that the record alone determines, states through the contract",
        )  # fmt: skip


def plain(emit: Message) -> bytes:
    """An emit's stream and values."""
    return msgspec.json.encode([emit["stream"], emit["tuple"]])
