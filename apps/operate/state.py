"""An entity's stored state, started afresh by a write: a DELETE would hide later writes, too."""

from typing import NamedTuple

from stormwatch.archive import Archive
from stormwatch.errors import SettingsError
from stormwatch.partitioner import stripe_of
from stormwatch.records import StateRow
from stormwatch.settings import Settings
from stormwatch.state.envelope import reset as afresh


class Done(NamedTuple):
    """`stamp`: the write timestamp; `was`: bytes of the state before, None where there was none."""

    stamp: int
    was: int | None


def reset(
    archive: Archive, settings: Settings, domain: str, entity: str, now: int, *, deleted: bool
) -> Done:
    """Start `entity` afresh; `now` is the clock, ms.

    The write is younger than the state that is there. Where none is, the row was deleted by hand
    (`deleted` says so): the write is then as young as the clock, so that it is above the tombstone,
    and so are the entity's later ones. Raises SettingsError where there is none unasked.
    """
    stripe = stripe_of(entity, settings.layout_stripes)
    row = archive.find_state(domain, stripe, entity)
    if row is None and not deleted:
        raise SettingsError(
            f"{domain!r} has no state of {entity!r}: it was never seen, or not for "
            f"{settings.ttl_states_d} days, and begins afresh by itself. If its row was deleted by "
            "hand, add --deleted."
        )
    stamp = now * 1000 if row is None else row.stamp + 1
    blob = afresh(row.blob if row else b"", stamp, now)
    archive.write_states(domain, [StateRow(stripe, entity, blob, stamp)])
    return Done(stamp, None if row is None else len(row.blob))
