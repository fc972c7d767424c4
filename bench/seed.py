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
SIZES = {"hour": "b.at - copy * interval '1 hour'"} | {
    size: f"date_trunc('{size}', last.at - copy * interval '1 hour', 'UTC')" for size in ("day", "month")
}
"""Where the sums of copy n belong: it was received n hours earlier."""
KEEP = "CREATE TABLE IF NOT EXISTS {table}_of_few AS SELECT * FROM {table}"
SPREAD = """
    INSERT INTO {table} ({columns})
    SELECT {keys}, {sums}
    FROM {table}_of_few AS b, generate_series(0, $1::int - 1) AS copy,
        (SELECT max(at) AS at FROM {table}_of_few WHERE size = 'hour') AS last
    WHERE b.size = '{size}' GROUP BY {keys}
"""


OPEN_TIMERS = """
    INSERT INTO timers (key, kind, due_at, data)
    SELECT gen_random_uuid()::text, 'wake', now() + interval '1 day' + n * interval '1 second', '{}'
    FROM generate_series(1, $1::int) AS n
"""
"""Of other cases, due from tomorrow on: many, as after a week of an emergency."""


async def open_timers(connection: asyncpg.Connection, count: int) -> None:
    """So many more timers that are not due."""
    await connection.execute(OPEN_TIMERS, count)
    await connection.execute("VACUUM ANALYZE timers")


def copy_id(request_id: str, number: int) -> str:
    """The id that a request has in copy `number`."""
    return ID.sub(COPY_ID % number, request_id.encode()).decode()


def _copied(line: bytes, number: int, receipt: bytes | None) -> bytes:
    """The row of copy `number`: every id in it replaced, wherever it stands, and the receipt."""
    line = ID.sub(COPY_ID % number, line)
    return line.replace(receipt, b"%s-%d" % (receipt, number)) if receipt else line


async def _copies(lines: list[bytes], numbers: range, with_receipt: bool) -> AsyncIterator[bytes]:
    for number in numbers:
        rows = [_copied(line, number, line.split(b"\t", 2)[1] if with_receipt else None) for line in lines]
        yield b"\n".join([*rows, b""])


async def multiply(url: str, tables: tuple[str, ...], numbers: range) -> None:
    """Add the copies of these numbers of every row of the tables that is none itself."""
    connection = await asyncpg.connect(url)
    try:
        for table in tables:
            held = io.BytesIO()
            await connection.copy_from_table(table, output=held)
            lines = [line for line in held.getvalue().splitlines() if ID.search(line)]
            await connection.copy_to_table(table, source=_copies(lines, numbers, table == "requests"))
            await connection.execute(f"VACUUM ANALYZE {table}")
    finally:
        await connection.close()


async def spread_figures(url: str, times: int) -> None:
    """Let the sums be those of the first requests and their copies, `times` in all, each copy an hour older."""
    connection = await asyncpg.connect(url)
    try:
        for table, counted in (("cells", 5), ("sketches", 5)):
            await connection.execute(KEEP.format(table=table))
            await connection.execute(f"TRUNCATE {table}")
            found = await connection.fetch(
                "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 ORDER BY attnum", table
            )
            columns = [f'"{row["attname"]}"' for row in found]
            for size, at in SIZES.items():
                keys = [at if column == '"at"' else f"b.{column}" for column in columns[:counted]]
                statement = SPREAD.format(
                    table=table, size=size, columns=", ".join(columns), keys=", ".join(keys),
                    sums=", ".join(f"sum(b.{column})" for column in columns[counted:]),
                )  # fmt: skip
                await connection.execute(statement, times)
            await connection.execute(f"VACUUM ANALYZE {table}")
    finally:
        await connection.close()
