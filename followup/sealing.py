"""Sealing the log: every record that is read goes into its partition's running hash, which is published every minute.

The hash moves in the transaction that moves the partition's position, so a restart, another replica that takes the
partition over, and a batch that is read again all go on from the same place.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from followup import seal_store
from followup.chain import begin, extend
from shared.bus import Delivered
from shared.contracts import COMPACTED
from shared.contracts.operations import LogSealed
from shared.database import Transaction
from shared.messaging.work import Work


async def witness(connection: Transaction, batch: Sequence[Delivered]) -> None:
    """Take a batch into the running hashes, as it stands in the log: duplicates and what nobody can read included.

    Not the compacted topics: they lose records, so that nobody could check a hash of them.
    """
    lasting = [delivered for delivered in batch if delivered.partition.topic not in COMPACTED]
    if not lasting:
        return
    chains = await seal_store.lock_chains(connection, {delivered.partition for delivered in lasting})
    for delivered in lasting:
        at, position = delivered.partition, delivered.position
        chains[at] = extend(chains.get(at) or begin(*at, position), position, delivered.record)
    await seal_store.save_chains(connection, chains.values())


async def seal(work: Work, every: timedelta) -> tuple[datetime | None, int]:
    """State the hash of each partition with news, unless a replica did so within that time.

    When the newest seal was stated, and how many partitions wait for one.
    """
    due = await seal_store.lock_unsealed(work.connection, work.now - every)
    for chain in due:
        fact = LogSealed(
            service=work.source,
            topic=chain.topic,
            partition=chain.number,
            first_position=chain.first_position,
            from_position=chain.sealed_to,
            to_position=chain.position,
            records=chain.records,
            hash=chain.hash.hex(),
        )
        work.state(fact, f"{chain.topic}/{chain.number}")
    if due:
        await seal_store.say_sealed(work.connection, [chain.seal() for chain in due], work.now)
    return await seal_store.last_sealed_at(work.connection)
