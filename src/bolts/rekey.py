"""Repartitions batches by hash of a second key. The contract: `stormwatch.state.repartition`."""

from collections.abc import Callable
from typing import Any, ClassVar

from bolts.base import REJECTED, PassingBolt
from stormwatch import codec
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.codec import Parsed
from stormwatch.records import Fragment
from stormwatch.state.repartition import fan_out


def itself(event: Any) -> tuple[Any]:
    """The split of events that have one key each, but are not in its partition."""
    return (event,)


class RekeyBolt(PassingBolt):
    """Splits `Parsed[E]` into `Parsed[K]`, a sub-batch for each bucket of K's entity.

        class SplitPosts(RekeyBolt):
            payload = Parsed[Post]           # as it arrives
            split = staticmethod(mentions)   # Post -> tuple of Mention; .entity is the second key
            to_wire = staticmethod(to_wire)  # Post -> bytes, kept of posts that name no key

        split = SplitPosts.spec(inputs={parse: Grouping.SHUFFLE})
        decide = SocialBolt.spec(inputs={split: Grouping.fields("bucket")})
        reject = RejectPosts.spec(inputs=[parse["rejected"], split["rejected"], ...])

    The bolt behind is a ChainBolt of score and store, its payload `Parsed[Mention]`.
    Guarantee: at least once; each offset has one writer in the ledger
    (`stormwatch.state.repartition`).
    """

    split: ClassVar[Callable[..., Any]]  # stormwatch.state.repartition.Split
    to_wire: ClassVar[Callable[..., bytes]]
    buckets: ClassVar[int] = 8
    """Sub-batches of a batch at most; more than tasks behind, so that these share evenly."""
    accounted: ClassVar[bool] = False
    """True where an earlier bolt has put every offset into the ledger."""

    def handle(self, fragment: Fragment, payload: Parsed[Any], tup: Any) -> None:
        kind = type(self)
        out = fan_out(
            fragment,
            payload,
            kind.split,
            buckets=kind.buckets,
            accounted=kind.accounted,
            to_wire=kind.to_wire,
            component=self.component_name,
            now=now_ms(),
        )
        if out.aside is not None:
            self.send(REJECTED, fragment, out.aside, tup)
        for share in out.shares:
            assert share.share is not None
            values = codec.to_values(fragment, share, share.share.bucket)
            self.emit(values, stream="default", anchors=[tup])
