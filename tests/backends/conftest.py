# SPDX-License-Identifier: Apache-2.0
"""One BIND for all tests of this folder that do not stop it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.bind import RealBind

OPERATORS = """
zone "infra.example.com" { type primary; file "infra.db"; };
zone "corp.example.com" { type secondary; primaries { 127.0.0.1 port 9; }; };
"""


@pytest.fixture(scope="module")
def bind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealBind]:
    """A named with two views, whose zones are asked for in the first; two zones are its operator's own."""
    folder = tmp_path_factory.mktemp("bind")
    (folder / "infra.db").write_text("$TTL 60\n@ SOA ns hostmaster 7 60 60 3600 60\n@ NS ns\nns A 192.0.2.1\n")
    with RealBind(folder, views=("inside", "outside"), config=OPERATORS) as server:
        yield server
