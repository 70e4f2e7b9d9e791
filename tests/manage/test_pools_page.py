# SPDX-License-Identifier: Apache-2.0
"""docs/pools.md has every key, and its example is a file that is taken."""

from __future__ import annotations

import re
from pathlib import Path

from redesignate.manage import poolfile
from tests.manage.conftest import Operator

PAGE = (Path(__file__).parents[2] / "docs" / "pools.md").read_text(encoding="utf-8")
EXAMPLE = PAGE.partition("```yaml\n")[2].partition("```")[0]
KEYS = {
    "a pool": poolfile.POOL_KEYS,
    "`ns_records`": poolfile.NS_KEYS,
    "`nameservers`": poolfile.NAMESERVER_KEYS,
    "`targets`": poolfile.TARGET_KEYS,
    "`also_notifies`, `masters`": poolfile.ADDRESS_KEYS,
    "`catalog_zone`": poolfile.CATALOG_KEYS,
}


def test_every_key_has_its_row() -> None:
    for of, keys in KEYS.items():
        table = PAGE.partition(f"| Key of {of} |")[2].partition("\n\n")[0]
        assert re.findall(r"(?m)^\| `(\w+)` \|", table) == list(keys), of


def test_the_example_is_taken(operator: Operator, tmp_path: Path) -> None:
    file = tmp_path / "pools.yaml"
    file.write_text(EXAMPLE)
    ran = operator("pool", "update", "--file", str(file))
    assert (ran.code, ran.err) == (0, "")
    assert operator("pool", "update", "--file", str(file), "--dry-run").out.startswith("No changes")


def test_the_mistakes_of_the_page_are_told_as_the_page_tells_them(operator: Operator, tmp_path: Path) -> None:
    for old, new, line in (
        ("192.0.2.1\n      port", "192.0.2.1\n      prot", "nameservers[0].prot"),
        ("ns2.example.org.", "ns2.example.org", "ns_records[1].hostname"),
    ):
        file = tmp_path / "pools.yaml"
        file.write_text(EXAMPLE.replace(old, new, 1))
        err = operator("pool", "update", "--file", str(file)).err.replace(str(file), "pools.yaml")
        assert line in err
        assert err in PAGE


def test_every_option_of_the_pool_commands_is_on_the_page() -> None:
    for command in (["pool", "update"], ["pool", "show-config"], ["pool", "generate-file"]):
        assert f"`{' '.join(command)}`" in PAGE
    for option in ("--file", "--dry-run", "--delete", "--skip-verify-drivers", "--pool-id", "--all-pools"):
        assert option in PAGE
