# SPDX-License-Identifier: Apache-2.0
"""Types and options of targets: what is known, and how the operator hears of what is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from redesignate.backends import registry
from redesignate.backends.bind9 import Bind9Options
from redesignate.backends.fake import FakeOptions
from redesignate.model.errors import Misconfigured
from redesignate.model.pool import Pool, Target
from tests.backends.test_contract import RIGS


def parsed(kind: str, **options: str) -> object:
    target = Target(id="t", type=kind, options=options)
    return registry.parse_options(Pool(id="p", name="gold", version=1, created_at=0, targets=(target,)), target)


def test_options_are_text_and_become_what_they_are() -> None:
    found = parsed("bind9", rndc_port="1953", clean_zonefile="True", rndc_timeout="2.5", view="v", rndc_bin_path="/x")
    assert found == Bind9Options(rndc_port=1953, clean_zonefile=True, rndc_timeout=2.5, view="v", rndc_bin_path="/x")


def test_every_target_is_notified_on_loopback_unless_told() -> None:
    found = parsed("fake")
    assert isinstance(found, FakeOptions)
    assert str(found.notify) == "127.0.0.1:53"


@pytest.mark.parametrize(
    ("kind", "options", "parts"),
    [
        ("bind10", {}, ("'gold'", "'bind10'", "no backend of this name", "bind9", "pools.yaml")),
        ("bind9", {"rndc_prot": "953"}, ("'gold'", "rndc_prot", "rndc_port", "pools.yaml")),
        ("bind9", {"rndc_port": "many"}, ("'gold'", "rndc_port", "int", "pools.yaml")),
        ("fake", {"port": "x"}, ("'gold'", "$.port", "pools.yaml")),
    ],
)
def test_what_is_wrong_is_told_with_pool_key_and_mend(
    kind: str, options: dict[str, str], parts: tuple[str, ...]
) -> None:
    with pytest.raises(Misconfigured) as raised:
        parsed(kind, **options)
    assert all(part in raised.value.message for part in parts), raised.value.message
    assert "\n" not in raised.value.message


def test_a_backend_that_cannot_be_built_is_told_with_pool_and_mend() -> None:
    target = Target(id="t", type="bind9", options={"rndc_key_file": "/nowhere/rndc.key"})
    pool = Pool(id="p", name="gold", version=1, created_at=0, targets=(target,))
    with pytest.raises(Misconfigured, match=r"'gold'.*masters.*pools\.yaml"):
        registry.build(pool, target)


def test_the_table_names_each_backend_as_it_names_itself() -> None:
    assert all(name == kind.name for name, kind in registry.KINDS.items())


PLUGIN = """
from redesignate.backends.fake import Fake, FakeOptions
from redesignate.backends.port import BackendKind

KIND = BackendKind("other", FakeOptions, Fake)
NOT_A_KIND = 5
"""


ASK = """
from redesignate.backends import registry
from redesignate.model.errors import Misconfigured
for name in ("other", "odd", "gone", "none"):
    try:
        print(name, registry.kind(name))
    except Misconfigured as error:
        print(name, error.message)
"""


def test_a_third_party_adds_a_backend_by_entry_point(tmp_path: Path) -> None:
    about = tmp_path / "otherbackend-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: otherbackend\nVersion: 1.0\n")
    lines = [
        f"[{registry.ENTRY_POINTS}]",
        "other = otherbackend:KIND",
        "odd = otherbackend:NOT_A_KIND",
        "gone = no:KIND",
    ]
    (about / "entry_points.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "otherbackend.py").write_text(PLUGIN)
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    # in a process of its own, because stevedore remembers the entry points that it has seen
    env = os.environ | {"PYTHONPATH": path, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", ASK], env=env, capture_output=True, text=True, timeout=60, check=True)
    other, odd, gone, none = done.stdout.splitlines()
    assert other.startswith("other BackendKind(name='other'")
    assert "is not a BackendKind" in odd
    assert "cannot be loaded" in gone
    assert none == "none None"


@pytest.mark.parametrize("name", sorted(registry.KINDS))
def test_every_backend_has_a_page_and_a_rig(name: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "backends" / f"{name}.md").read_text()
    heads = [line.removeprefix("## ") for line in page.splitlines() if line.startswith("## ")]
    assert heads == ["Name", "Description", "Options", "Example", "Limits"]
    told = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `")}
    assert told == set(registry.KINDS[name].options.__struct_fields__)
    assert name in RIGS
