# SPDX-License-Identifier: Apache-2.0
"""Figures keep what was measured, and a comparison says nothing of noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import compare, remote
from bench.compare import Verdict, verdict
from bench.figures import Figure, as_json, at_least, at_most, from_json, of_runs, tables, with_goals
from bench.meter import Used

RUNS = st.lists(st.floats(0.1, 1e6), min_size=1, max_size=5)


def rate(*runs: float) -> Figure:
    """A rate of several runs."""
    return of_runs("creates", runs, "/s", least=True)


def test_a_figure_is_the_median_of_its_runs_and_says_how_busy_the_machine_was() -> None:
    used = [Used(1.0, others=0.1), Used(1.0, others=0.4)]
    figure = of_runs("creates", [3.0, 9.0, 4.0], "/s", least=True, used=used)
    assert (figure.value, figure.others) == (4.0, 0.4)
    assert "40 %" in tables([figure])


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (rate(100, 101, 102), rate(150, 151, 152), Verdict.BETTER),
        (rate(150, 151, 152), rate(100, 101, 102), Verdict.WORSE),
        (rate(100, 101, 160), rate(150, 151, 152), Verdict.SAME),  # the runs overlap
        (rate(100, 101, 102), rate(105, 106, 107), Verdict.SAME),  # too little
        (rate(100), rate(120), Verdict.SAME),  # one run says little
        (rate(100), rate(140), Verdict.BETTER),
        (at_most("served", 10, "ms"), at_most("served", 20, "ms"), Verdict.WORSE),
        (at_most("idle", 0, "%"), at_most("idle", 1, "%"), Verdict.SAME),
    ],
)
def test_a_figure_moves_beyond_noise_or_not_at_all(before: Figure, after: Figure, expected: Verdict) -> None:
    assert verdict(before, after) is expected


@settings(deadline=None)
@given(RUNS, RUNS, st.booleans())
def test_what_is_better_one_way_is_worse_the_other_way(one: list[float], two: list[float], least: bool) -> None:
    first, second = of_runs("x", one, "", least=least), of_runs("x", two, "", least=least)
    back = {Verdict.BETTER: Verdict.WORSE, Verdict.WORSE: Verdict.BETTER, Verdict.SAME: Verdict.SAME}
    assert verdict(second, first) is back[verdict(first, second)]


@settings(deadline=None)
@given(RUNS)
def test_nothing_is_better_than_itself(runs: list[float]) -> None:
    assert verdict(rate(*runs), rate(*runs)) is Verdict.SAME


def test_figures_survive_a_file(tmp_path: Path) -> None:
    figures = [
        replace(rate(1, 2, 3), group="split", cpu={"api": 1.5}, curve="a", at=5.0, times=4.0),
        at_most("served", 5, "ms", 60),
    ]
    file = tmp_path / "figures.json"
    file.write_text(as_json(figures, "a machine"))
    head, read = from_json(file)
    assert read == figures
    assert head["machine"] == "a machine"


def test_a_comparison_names_what_came_and_went() -> None:
    lines = compare.table([at_least("old", 1, "/s"), rate(100, 100)], [at_least("new", 1, "/s"), rate(200, 201)])
    assert [line.split("|")[6].strip() for line in lines.splitlines()[2:]] == ["new", "better", "gone"]


def test_beside_another_deployment_a_goal_is_a_number_of_times() -> None:
    ours, theirs = replace(rate(100), times=4.0), rate(30)
    assert "| 3.3" in compare.beside([ours], [theirs])
    assert list(compare.missed([ours], [theirs])) == [ours]
    assert not list(compare.missed([ours], [rate(20)]))
    faster = at_most("served", 5, "ms", times=10.0)
    assert not list(compare.missed([faster], [at_most("served", 100, "ms")]))


def test_beside_another_deployment_stands_the_processor_time_of_both() -> None:
    ours = replace(rate(100), cpu={"api": 1.0, "central": 1.0})
    lines = compare.beside([ours], [replace(rate(10), cpu={"api": 5.0, "database": 4.0})]).splitlines()
    (found,) = [line for line in lines if "2.00" in line]
    assert [cell.strip() for cell in found.split("|")[2:6]] == ["creates", "2.00", "9.00", "4.5"]
    assert "processor time" not in compare.beside([ours], [rate(10)])


def test_the_database_of_another_deployment_is_not_its_own_memory() -> None:
    processes = {"api": [1], "named": [2], "database": [3], "broker": [4]}
    with remote.other(remote.Other("http://127.0.0.1:1", processes=processes)) as where:
        assert where.services == {"api"}
        assert where.roots() == processes


def test_what_was_measured_of_another_deployment_before_it_failed_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    def figures() -> Iterator[Figure]:
        yield rate(1)
        raise TimeoutError("a zone is not served after 60 s")

    assert list(remote.as_far_as_it_goes(figures())) == [rate(1)]
    assert "not served after 60 s" in capsys.readouterr().err


def test_a_goal_of_no_figure_is_a_mistake() -> None:
    assert [one.goal for one in with_goals([rate(1)], {"creates": 5.0}, all_of=True)] == [5.0]
    assert [one.goal for one in with_goals([rate(1)], {"deletes": 5.0}, all_of=False)] == [None]
    with pytest.raises(KeyError, match="deletes"):
        list(with_goals([rate(1)], {"deletes": 5.0}, all_of=True))
