"""`heed bulletin`, and the demo's last page, against a served followup."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from services.cli import main
from services.client import Remote
from services.demo.run import write_bulletins
from shared.web import Receive, Scope, Send
from tests.followup.stories import OPERATOR, Story
from tests.gateway.serving import serving
from tests.support.harness import Harness


@asynccontextmanager
async def served(harness: Harness) -> AsyncIterator[str]:
    """The service at an address, every caller taken for the operator, as the gateway would say."""
    async with harness.client(OPERATOR) as client:
        identity = client.headers["heed-identity"].encode()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["headers"] = [*scope["headers"], (b"heed-identity", identity)]
        await harness.app(scope, receive, send)

    async with serving(app) as url:
        yield url


async def run(url: str, *words: str) -> Result:
    environment = {"HEED_BASE_URL": url, "HEED_TOKEN": "t"}
    return await asyncio.to_thread(CliRunner().invoke, main, ["bulletin", *words], env=environment)


async def test_it_is_written_to_the_screen_or_a_file(harness: Harness, tmp_path: Path) -> None:
    await harness.take(*Story().begun().answered(1).events)
    file = tmp_path / "b.html"
    async with served(harness) as url:
        shown = await run(url, "--lang", "en")
        written = await run(url, "--format", "html", "-o", str(file))
        nowhere = await run(url, "-o", str(tmp_path / "no" / "such.md"))
        ahead = await run(url, "--at", "2099-01-01T00:00:00Z")
    assert (shown.exit_code, "**Since opening, received 1 request" in shown.output) == (0, True)
    assert (written.exit_code, written.output) == (0, f"Bulletin: {file}\n")
    assert "自开通以来，共接收求助1件" in file.read_text(encoding="utf-8")
    assert (nowhere.exit_code, "cannot be written" in nowhere.output) == (1, True)
    assert (ahead.exit_code, "lies ahead" in ahead.output) == (1, True)


@pytest.mark.parametrize("lang", ["zh", "en"])
async def test_the_demo_leaves_a_page_in_each_language(harness: Harness, tmp_path: Path, lang: str) -> None:
    async with served(harness) as url:
        pages = await asyncio.to_thread(write_bulletins, Remote(url, "t"), tmp_path / "demo")
    (page,) = [path for path in pages if path.name == f"bulletin.{lang}.html"]
    assert page.read_text(encoding="utf-8").startswith(f'<!doctype html>\n<html lang="{lang}">')
