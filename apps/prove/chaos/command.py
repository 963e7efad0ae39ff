"""`./stormwatch chaos`: one campaign on services of its own, or a kill in a running system."""

import shutil
import tempfile
from pathlib import Path

from apps.prove.chaos import services
from apps.prove.chaos.campaigns import Campaign
from apps.prove.chaos.environment import opened
from apps.prove.chaos.errors import ChaosFailed
from apps.prove.chaos.runner import Result, conduct
from apps.prove.chaos.screen import Screen


def execute(campaign: Campaign, seed: int, count: int, root: Path, screen: Screen) -> Result:
    """Start Kafka, Cassandra and a topology, do the harm, judge, and end all of them.

    Raises ChaosFailed; the folder of the run is kept then, and named.
    """
    screen.tell(f"{campaign.name}: {campaign.what}; seed {seed}")
    folder = Path(tempfile.mkdtemp(prefix="stormwatch-chaos-run-"))
    with services.own(root, lambda step, detail: screen.tell(f"{step}: {detail}")) as (
        found,
        under,
    ):
        name = f"chaos_{campaign.name.replace('-', '_')}_{seed}"
        with opened(found, under, folder, name) as scene:
            scene.tell, scene.show = screen.tell, screen.show
            try:
                result = conduct(scene, campaign, seed, count)
            except ChaosFailed as error:
                raise type(error)(
                    f"{error}\n{campaign.name} with seed {seed} failed; its run is in {folder}. "
                    f"Again: ./stormwatch chaos {campaign.name} --seed {seed}"
                ) from error
    shutil.rmtree(folder, ignore_errors=True)
    return result


def verdict(result: Result) -> str:
    """What held, in one paragraph."""
    states = ", ".join(f"{state} {count:,}" for state, count in sorted(result.states.items()))
    notes = "".join(f" {note}" for note in result.notes)
    return (
        f"HOLDS: {result.campaign}, seed {result.seed}: {result.records:,} records, "
        f"{result.kills} kills, {result.left:,} left when the last fault ended. 0 missing, "
        f"0 doubled, 0 different from the oracle; unaccounted {result.unaccounted:,} ({states}). "
        f"Commits moved again after {result.moved_s:.1f} s, all was decided "
        f"{result.drained_s:.1f} s later.{notes}"
    )
