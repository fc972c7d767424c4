"""The tour in the README runs as printed."""

import asyncio
import re
from pathlib import Path

import pytest

from tests.support.harness import project_root
from tests.support.system import System

BLOCK = re.compile(r"```bash\n(.*?)```", re.DOTALL)


def lines_of_the_tour() -> str:
    return "\n".join(BLOCK.findall((project_root() / "README.md").read_text()))


@pytest.mark.timeout(120)
async def test_the_tour_runs_as_printed(system: System) -> None:
    await take_the_tour(system.base_url, system.var)


async def take_the_tour(base_url: str, var: Path) -> None:
    """Paste the tour into a shell beside `var`, and look at what it prints."""
    script = lines_of_the_tour()
    assert "base=http://127.0.0.1:8000" in script
    script = script.replace("base=http://127.0.0.1:8000", f"base={base_url}")
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-euo",
        "pipefail",
        "-c",
        script,
        cwd=var.parent,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await process.communicate())[0].decode()
    assert process.returncode == 0, said
    assert '"category": "medical"' in said
    assert '"colour": "red"' in said
    assert "2022-10-26" in said
    assert '"status":"fulfilled"' in said
    assert '"solved":true' in said
    assert "heed.request.closed" in said
    assert "Since opening" in said
    assert "problems/" not in said, said
