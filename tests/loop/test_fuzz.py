"""Any input that the API describes, and much that it does not: never a 500, and answers as described."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.support.system import System, running

EXAMPLES = os.environ.get("HEED_FUZZ_EXAMPLES", "3")
"""Of each operation; more finds more, and takes longer."""
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


async def fuzz(system: System, who: str, folder: Path) -> tuple[int | None, str]:
    """Try every operation as somebody: the exit code, and what was found."""
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("schemathesis"),
        "run",
        f"{system.base_url}/openapi.json",
        *("--header", f"Authorization: Bearer {system.token(who)}"),
        *("--checks", CHECKS),
        *("--phases", "fuzzing", "--max-examples", EXAMPLES, "--seed", "20221025", "--generation-database", "none"),
        *("--exclude-path-regex", "(events|tokens.*)$"),  # streams never end, and a key that is revoked ends the test
        *("--suppress-health-check", "all", "--no-color"),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await process.communicate())[0].decode()
    return process.returncode, said


@pytest.mark.timeout(240 + 60 * int(EXAMPLES))
async def test_the_api_answers_whatever_it_is_sent_as_described(tmp_path: Path) -> None:
    async with running(tmp_path / "var") as system:
        code, said = await fuzz(system, "supervisor", tmp_path)
    assert code == 0, said[-6000:]
    assert "Fuzzing" in said
