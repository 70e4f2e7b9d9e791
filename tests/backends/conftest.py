# SPDX-License-Identifier: Apache-2.0
"""One BIND for all tests of this folder that do not stop it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.bind import RealBind


@pytest.fixture(scope="module")
def bind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealBind]:
    """A named with two views, whose zones are asked for in the first."""
    with RealBind(tmp_path_factory.mktemp("bind"), views=("inside", "outside")) as server:
        yield server
