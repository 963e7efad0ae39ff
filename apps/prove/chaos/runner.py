"""Conducts one campaign in a scene: traffic, harm, drain, verdict."""

from collections import Counter
from typing import NamedTuple

from apps.prove.chaos.campaign import SLOWEST, START_S, Play
from apps.prove.chaos.campaigns import Campaign
from apps.prove.chaos.environment import Scene
from apps.prove.chaos.errors import Invalid, expect
from apps.prove.chaos.tables import Tables

GRACE_S = 30.0
"""Commits move again within one message time-out and this after a fault's end."""


class Result(NamedTuple):
    """A campaign that held."""

    campaign: str
    seed: int
    records: int
    kills: int
    states: dict[str, int]
    left: int  # records undecided when the last fault was over
    moved_s: float  # from the fault's end to the next commit
    drained_s: float  # from there until everything was decided and committed
    want: Tables
    notes: list[str]
    unaccounted: int = 0  # 0, but where the harm was to the ledger itself


def conduct(scene: Scene, campaign: Campaign, seed: int, count: int = 0) -> Result:
    """Raises ChaosFailed when a law is broken, Invalid when nothing was tested."""
    play = Play(scene, seed, count or campaign.count)
    scene.prepare()
    scene.publish(campaign.records(play.count, seed))
    scene.tell(f"published {play.count:,} records; starting `sparse run -n fraud`")
    with campaign.stage(play) as changes:
        scene.start("fraud", **{**campaign.settings, **changes})
        scene.until_ended(1, START_S)
        campaign.faults(play)
        return _judge(play, campaign, seed)


def _judge(play: Play, campaign: Campaign, seed: int) -> Result:
    scene = play.scene
    left = scene.ledger().in_flight
    if not left:
        raise Invalid(
            f"INVALID: every record was decided when the last fault of {campaign.name} (seed "
            f"{seed}) fell, so nothing was tested. Give it more with --records."
        )
    moved = play.moved(campaign.limit_s)
    scene.tell(f"commits move again {moved:.1f} s after the fault's end")
    drained = scene.drain(play.count, campaign.limit_s + left / SLOWEST)
    scene.stop()
    said = scene.said()
    restarts = said.count("restarting the topology in place")
    expect(play.restarts is None or restarts == play.restarts, said)
    expect(all(words in said for words in play.told), said)
    want = play.judge()
    states = Counter(state for each in want.ends.values() for state in each)
    limit = scene.settings.message_timeout_s + GRACE_S
    expect(moved <= limit, f"no commit moved for {moved:.1f} s after the fault, over {limit:g} s")
    return Result(
        campaign.name, seed, play.count, play.kills, dict(states), left, moved, drained, want,
        play.notes, scene.ledger().unaccounted,
    )  # fmt: skip
