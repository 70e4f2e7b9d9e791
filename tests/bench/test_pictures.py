# SPDX-License-Identifier: Apache-2.0
"""Pictures are whole SVGs that show every figure, and no two names on one another."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import pictures
from bench.chart import LINE, Panel, apart, draw, scale, short
from bench.figures import as_json, at_most

SVG = "{http://www.w3.org/2000/svg}"
VALUES = st.floats(1e-3, 1e7)


@settings(deadline=None)
@given(st.dictionaries(st.text("abc", min_size=1), st.floats(0, 300), max_size=20), st.just(0.0), st.just(300.0))
def test_names_stand_a_line_apart_in_their_order(wanted: dict[str, float], low: float, high: float) -> None:
    places = apart(wanted, low, high)
    ordered = sorted(places.values())
    assert places.keys() == wanted.keys()
    assert all(low - 1e-6 <= place <= high + 1e-6 for place in ordered)
    assert all(two - one >= LINE - 1e-6 for one, two in pairwise(ordered))
    assert [wanted[name] for name in sorted(places, key=lambda one: places[one])] == sorted(wanted.values())


@settings(deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=9), st.booleans())
def test_every_value_stands_on_its_scale_and_larger_ones_further(values: list[float], logarithmic: bool) -> None:
    made = scale(values, 10, 200, logarithmic=logarithmic)
    places = [made.at(value) for value in sorted(values)]
    assert places == sorted(places)
    assert all(9.7 <= place <= 200.3 for place in places)
    assert made.ticks() or logarithmic


def test_a_chart_shows_each_curve_once() -> None:
    curves = {"a <b>": [(1.0, 2.0), (10.0, 3.0)], "c": [(1.0, 0.5)]}
    root = ElementTree.fromstring(draw("two & more", [Panel("p", "x", "y", curves, log_across=True)]))
    lines = root.findall(f".//{SVG}polyline")
    assert [len((line.get("points") or "").split()) for line in lines] == [2, 1]
    words = [text.text for text in root.iter(f"{SVG}text")]
    assert {"a <b>", "c", "p", "x", "y", "1", "10"} <= set(words)


def test_figures_become_a_picture_for_each_database_and_one_of_latency(tmp_path: Path) -> None:
    figures = [
        at_most(f"GET {at}", 9, "ms", group="growth", cpu={"serve": 1, "x": at}, curve=f"mariadb: GET by {kind}", at=at)
        for kind in ("zones", "record sets in the zone")
        for at in (10.0, 100.0)
    ]
    figures += [at_most(f"served {at}", 5 + at, "ms", group="split", curve="served", at=at) for at in (0.0, 100.0)]
    file = tmp_path / "figures.json"
    file.write_text(as_json(figures, "here"))
    written = pictures.write([file], tmp_path / "pictures")
    assert [path.name for path in written] == ["growth-mariadb.svg", "latency.svg"]
    grown, latency = (ElementTree.parse(path).getroot() for path in written)
    assert len(grown.findall(f".//{SVG}polyline")) == 2
    assert len(latency.findall(f".//{SVG}polyline")) == 1


@pytest.mark.parametrize(("value", "words"), [(20_000, "20k"), (0.5, "0.5"), (3e6, "3M"), (100, "100")])
def test_a_tick_is_short(value: float, words: str) -> None:
    assert short(value) == words
