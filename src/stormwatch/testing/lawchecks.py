"""What several laws ask of what a bolt said."""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from stormwatch.testing.lawcase import Case, broken
from stormwatch.testing.storm import TICK, Message, Said


def settled_once(case: Case, said: Said, sent: Iterable[Message], when: str) -> None:
    """Each input is acked or failed once, and the process lives."""
    alive(case, said, when)
    told = Counter([*said.acks, *said.fails])
    told.pop(TICK["id"], None)  # a tick is no one's record
    expected = {m["id"] for m in sent}
    silent = sorted(expected - set(told), key=int)
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


def alive(case: Case, said: Said, when: str) -> None:
    """Only Storm's going ended it."""
    if said.exit_code != 2:
        broken(
            case, f"ended by itself{when}, with code {said.exit_code}:\n{said.log[-3000:]}",
            "the worker ends, Storm starts it again, the same tuple comes again",
            "bad data is a result, never an exception; what may pass is an InfrastructureError",
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
