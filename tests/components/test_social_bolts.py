"""Posts through their bolts over the multilang bytes: parsed, split, decided, accounted."""

from collections import Counter
from itertools import islice

import pytest
from msgspec.structs import replace

from apps.data.generate.posts import posts
from bolts.social import ParsePosts, RejectPosts, SocialBolt, SplitPosts
from stormwatch.codec import Asides, Parsed, decoder, to_fragment
from stormwatch.domains.social.domain import BrandState
from stormwatch.domains.social.event import Mention, Post
from stormwatch.ledger.reconcile import reconcile
from stormwatch.records import Fragment, Record
from stormwatch.state.envelope import EnvelopeCodec
from stormwatch.testing import TICK, batch, drive

FAR = 1 << 62
SIZE, COUNT = 50, 200


def raw(generation=1):
    """Fragments of one partition as the spout emits them; every 25th record is no post."""
    made = list(islice(posts(3, run="t", authors=9), COUNT))
    values = [b"{" if at % 25 == 7 else post.value for at, post in enumerate(made)]
    for first in range(0, COUNT, SIZE):
        whole = Fragment("posts", 2, 33, first, first + SIZE - 1, generation, 0)
        rows = [Record(o, FAR, b"k", values[o]) for o in range(first, first + SIZE)]
        yield whole, [row for row in rows if row.offset % 50 != 3]  # and some offsets are absent


def through(bolt, inputs, stream="default"):
    """(fragment, payload, tuple) of what a bolt emits on `stream`, one input after another."""
    said = drive(bolt, *inputs, TICK)
    assert not said.of("fail"), said.log
    assert len(said.of("ack")) == len(inputs) + 1  # and the tick
    return [m["tuple"] for m in said.of("emit") if m.get("stream", "default") == stream]


def resent(tuples, kind):
    return [batch(to_fragment(t), decoder(kind)(t[-1])) for t in tuples]


def run(generation=1):
    """All the bolts, one behind the other; the tuples that split emitted."""
    read = [batch(*one) for one in raw(generation)]
    said = drive(ParsePosts, *read)
    parsed = [m["tuple"] for m in said.of("emit") if m.get("stream", "default") == "default"]
    refused = [m["tuple"] for m in said.of("emit") if m.get("stream") == "rejected"]
    halves = drive(SplitPosts, *resent(parsed, Parsed[Post]))
    shares = [m["tuple"] for m in halves.of("emit") if m.get("stream", "default") == "default"]
    refused += [m["tuple"] for m in halves.of("emit") if m.get("stream") == "rejected"]
    through(SocialBolt, resent(shares, Parsed[Mention]))
    through(RejectPosts, resent(refused, Asides))
    return shares


@pytest.fixture
def shares(store, broker):
    return run()


def test_a_brand_always_goes_to_one_bucket_and_buckets_share(shares):
    buckets = {}
    for one in shares:
        parsed = decoder(Parsed[Mention])(one[-1])
        assert one[0] == parsed.share.bucket and to_fragment(one).partition == 2
        for _, _, mention in parsed.events:
            buckets.setdefault(mention.brand, set()).add(one[0])
    assert all(len(found) == 1 for found in buckets.values())
    assert len(set().union(*buckets.values())) > 3


def test_each_offset_has_one_word_however_many_brands(shares, store):
    ledger = reconcile(2, store.ledger("posts", 2, 33, 0, COUNT - 1), 0, COUNT, COUNT)
    assert (ledger.unaccounted, ledger.conflicting) == (0, 0)
    assert ledger.states == {"scored": 188, "rejected": 8, "absent": 4}
    mentions = Counter(key[5] for key in store.tables["decisions"])
    assert len(mentions) == 188 and max(mentions.values()) == 2


def kept(store):
    """What the tables hold but for who wrote it last: neither write timestamps, nor the stamp in
    a brand's state, which tell of the try that wrote."""
    rows = {
        (name, key, column): value
        for name in ("decisions", "states", "dead_letters")
        for key, row in store.tables[name].items()
        for column, (_, value) in row.items()
    }
    states = EnvelopeCodec(BrandState)
    return {
        at: replace(states.decode(value, at[1][-1]), stamp=0) if at[0] == "states" else value
        for at, value in rows.items()
    }


def test_a_replay_changes_no_table_and_tells_alerts_again(shares, store, broker):
    before = kept(store)
    alerts = len([r for log in broker.topic("alerts").logs for r in log.records])
    run(generation=2)
    assert kept(store) == before
    assert len([r for log in broker.topic("alerts").logs for r in log.records]) == 2 * alerts > 0
