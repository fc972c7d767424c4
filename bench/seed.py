"""Many stored requests from a thousand real ones: each row copied over and over, with ids of its own, by COPY."""

import io
import re
from collections.abc import AsyncIterator

import asyncpg

COPIED = {"gateway": ("requests", "timeline", "texts"), "followup": ("cases", "visits")}
"""The tables that the measured reads touch, by service."""
ID = re.compile(rb"([0-9a-f]{8}-[0-9a-f]{4}-)7([0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{6})[0-9a-f]{6}")
COPY_ID = rb"\g<1>8\g<2>%06x"
"""A copy is of version 8, which none of ours is, and ends in its number."""
HOURS = 24 * 30
SPREAD = """
    INSERT INTO cells SELECT dimension, size, at - n * '1 {size}'::interval, value, {counts}
    FROM cells, generate_series(1, {times}) AS n WHERE size = '{size}'
"""


def copy_id(request_id: str, number: int) -> str:
    """The id that a request has in copy `number`."""
    return ID.sub(COPY_ID % number, request_id.encode()).decode()


def _copied(line: bytes, number: int, receipt: bytes | None) -> bytes:
    """The row of copy `number`: every id in it replaced, wherever it stands, and the receipt."""
    line = ID.sub(COPY_ID % number, line)
    return line.replace(receipt, b"%s-%d" % (receipt, number)) if receipt else line


async def _copies(lines: list[bytes], times: int, with_receipt: bool) -> AsyncIterator[bytes]:
    for number in range(1, times + 1):
        rows = [_copied(line, number, line.split(b"\t", 2)[1] if with_receipt else None) for line in lines]
        yield b"\n".join([*rows, b""])


async def multiply(url: str, tables: tuple[str, ...], times: int) -> None:
    """Add `times` copies of every row of the tables."""
    connection = await asyncpg.connect(url)
    try:
        for table in tables:
            held = io.BytesIO()
            await connection.copy_from_table(table, output=held)
            lines = held.getvalue().splitlines()
            await connection.copy_to_table(table, source=_copies(lines, times, table == "requests"))
            await connection.execute(f"VACUUM ANALYZE {table}")
    finally:
        await connection.close()


async def spread_figures(url: str) -> None:
    """Give a month of hours and days the sums that the present ones have."""
    connection = await asyncpg.connect(url)
    try:
        found = await connection.fetch(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'cells'::regclass AND attnum > 4 ORDER BY attnum"
        )
        counts = ", ".join(f'"{row["attname"]}"' for row in found)
        for size, times in (("hour", HOURS), ("day", HOURS // 24)):
            statement = SPREAD.format(size=size, times=times, counts=counts)
            await connection.execute(f"{statement} ON CONFLICT DO NOTHING")
        await connection.execute("VACUUM ANALYZE cells")
    finally:
        await connection.close()
