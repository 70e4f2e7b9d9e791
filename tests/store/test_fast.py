# SPDX-License-Identifier: Apache-2.0
"""The one way to run a statement, and what it needs of SQLAlchemy's inside: a new minor version must pass these."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import Integer, bindparam, event, literal, literal_column, null, select
from sqlalchemy.exc import IntegrityError, OperationalError

from redesignate.store.engine import EngineOptions
from redesignate.store.fast import at_once, run, stream
from redesignate.store.settings_schema import quotas
from redesignate.store.unit import Store, Work
from tests.store.makers import new_id

ALL = select(quotas.c.resource, quotas.c.hard_limit.label("most")).where(quotas.c.project_id == bindparam("p"))
SOME = ALL.where(quotas.c.resource.in_(bindparam("names", expanding=True)), quotas.c.hard_limit > 0)
TWICE = ALL.where(
    quotas.c.resource.in_(bindparam("n", expanding=True)) | quotas.c.resource.in_(bindparam("nn", expanding=True))
)
ADD = quotas.insert()
RETURNING = ADD.returning(quotas.c.resource.label("of"), (quotas.c.hard_limit * 2).label("double"))
RAISE = quotas.update().where(quotas.c.project_id == bindparam("p")).values(hard_limit=bindparam("v"))
RENAME = (
    quotas.update()
    .where(quotas.c.project_id == bindparam("p"), quotas.c.resource == bindparam("n"))
    .values(resource=bindparam("v"))
)
DROP = quotas.delete().where(quotas.c.project_id == bindparam("p"))


def rows(project: str, **limits: int) -> list[dict[str, Any]]:
    return [{"project_id": project, "resource": name, "hard_limit": limit} for name, limit in limits.items()]


@pytest.fixture
def work(store: Store) -> Any:
    with store.read() as unit:  # what is written is discarded
        yield unit


def test_the_minor_version_of_sqlalchemy_is_one_that_was_tried() -> None:
    assert sqlalchemy.__version__.split(".")[:2] in (["2", "0"], ["2", "1"])


def test_rows_have_the_names_of_the_columns(work: Work) -> None:
    project = new_id()
    run(work.conn, ADD, rows(project, a=1, b=2, c=0))
    found = sorted(run(work.conn, ALL, {"p": project}))
    assert [(row.resource, row.most) for row in found] == [("a", 1), ("b", 2), ("c", 0)]
    assert run(work.conn, ALL, {"p": project}).first() is not None
    assert run(work.conn, ALL, {"p": "none"}).first() is None
    assert sorted(run(work.conn, ALL, {"p": project}).scalars()) == ["a", "b", "c"]
    assert run(work.conn, ALL, {"p": "none"}).scalar() is None


@pytest.mark.parametrize(("names", "found"), [([], []), (["a"], ["a"]), (["a", "b", "c", "none"], ["a", "b"])])
def test_a_list_is_written_out_and_the_statements_own_values_stay(
    work: Work, names: list[str], found: list[str]
) -> None:
    project = new_id()
    run(work.conn, ADD, rows(project, a=1, b=2, c=0))
    for _ in range(2):
        assert sorted(run(work.conn, SOME, {"p": project, "names": names}).scalars()) == found


def test_rows_at_once_are_those_of_the_statement_in_its_order(work: Work) -> None:
    project, texts = new_id(), ["", 'a"b\\', "\u2028 \x01 ü 🜁", "7", "null", "[1]", "{}", "%s :x ?"]
    run(work.conn, ADD, rows(project, **{text: (-1) ** at * (2**31 - at - 1) for at, text in enumerate(texts)}))
    both = ALL.add_columns(literal(2**63 - 1).label("large"), null().label("none"))
    for order in (quotas.c.hard_limit, quotas.c.hard_limit.desc(), quotas.c.resource):
        ordered = both.order_by(order).limit(bindparam("most", type_=Integer))
        for most in (0, 3, 100):
            given = {"p": project, "most": most}
            found = [tuple(row) for row in at_once(work.conn, ordered, given)]
            assert found == [tuple(row) for row in run(work.conn, ordered, given)]
    named = {"p": project, "names": texts[:3]}
    assert {row[0] for row in at_once(work.conn, SOME, dict(named))} == set(texts[:3:2])
    with pytest.raises(OperationalError if work.conn.dialect.name == "sqlite" else Exception):
        at_once(work.conn, select(quotas.c.resource, literal_column("nothing")), {})


def test_a_lists_name_may_begin_as_another_does(work: Work) -> None:
    project = new_id()
    run(work.conn, ADD, rows(project, a=1, b=2, c=0))
    assert sorted(run(work.conn, TWICE, {"p": project, "n": ["a"], "nn": ["b", "none"]}).scalars()) == ["a", "b"]


def test_an_insert_returns_its_row(work: Work) -> None:
    if work.conn.dialect.insert_returning:
        found = run(work.conn, RETURNING, rows(new_id(), a=7)).first()
        assert (found.of, found.double) == ("a", 14)


def test_a_write_says_how_many_rows_it_matched(work: Work) -> None:
    project = new_id()
    run(work.conn, ADD, rows(project, a=1, b=2))
    assert run(work.conn, RAISE, {"p": project, "v": 7}).rowcount == 2
    assert run(work.conn, RAISE, [{"p": project, "v": 8}, {"p": "none", "v": 8}]).rowcount == 2
    assert run(work.conn, DROP, {"p": "none"}).rowcount == 0


def test_of_several_writes_the_one_that_fails_undoes_all_and_the_connection_is_of_use_afterwards(
    shared_url: str,
) -> None:
    """With mysqlclient they are statements of one message."""
    project, store = new_id(), Store(shared_url, options=EngineOptions(pool_size=1, max_overflow=0))
    store.transact(lambda work: run(work.conn, ADD, rows(project, a=1, b=2, c=3)))
    renamed = [{"p": project, "n": name, "v": new} for name, new in (("a", "d"), ("b", "c"), ("c", "e"))]
    for _ in range(2):
        with pytest.raises(IntegrityError):
            store.transact(lambda work: run(work.conn, RENAME, renamed))
    assert store.transact(lambda work: run(work.conn, RENAME, renamed[::-1])).rowcount == 3
    with store.read() as work:
        assert sorted(run(work.conn, ALL, {"p": project}).scalars()) == ["c", "d", "e"]
    store.close()


def test_errors_are_sqlalchemys(work: Work) -> None:
    project = new_id()
    run(work.conn, ADD, rows(project, a=1))
    with pytest.raises(IntegrityError):
        run(work.conn, ADD, rows(project, a=1))


def test_a_statement_that_cannot_run_raises_sqlalchemys_error(tmp_path: Any) -> None:
    store = Store(f"sqlite:///{tmp_path}/empty")
    with store.engine.connect() as connection, pytest.raises(OperationalError, match="no such table"):
        run(connection, ALL, {"p": "p"})
    store.close()


@pytest.mark.parametrize("most", [1, 2, 3, 5])
def test_a_stream_gives_every_row_some_at_a_time(work: Work, most: int) -> None:
    project = new_id()
    run(work.conn, ADD, rows(project, a=1, b=2, c=0))
    batches = list(stream(work.conn, ALL, {"p": project}, most))
    assert all(0 < len(batch) <= most for batch in batches)
    assert sorted(tuple(row) for batch in batches for row in batch) == [("a", 1), ("b", 2), ("c", 0)]


def test_a_stream_that_is_left_can_be_followed_by_another(work: Work) -> None:
    project = new_id()
    run(work.conn, ADD, rows(project, a=1, b=2))
    left = stream(work.conn, ALL, {"p": project}, 1)
    next(left)
    left.close()
    assert len(list(stream(work.conn, ALL, {"p": project}, 1))) == 2


def test_a_stream_that_cannot_run_raises_sqlalchemys_error(tmp_path: Any) -> None:
    store = Store(f"sqlite:///{tmp_path}/empty")
    with store.engine.connect() as connection, pytest.raises(OperationalError, match="no such table"):
        list(stream(connection, ALL, {"p": "p"}, 1))
    store.close()


def test_listeners_hear_of_every_statement(work: Work) -> None:
    heard: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        heard.append(statement)

    event.listen(work.conn.engine, "before_cursor_execute", note)
    run(work.conn, ALL, {"p": "p"})
    event.remove(work.conn.engine, "before_cursor_execute", note)
    assert [statement.split()[0] for statement in heard] == ["SELECT"]


def test_the_token_of_a_list_is_the_one_that_is_written_out() -> None:
    """`fast._prepare` finds lists by this token in the compiled text."""
    assert "IN (__[POSTCOMPILE_names])" in str(
        SOME.compile(dialect=sqlalchemy.dialects.sqlite.dialect(paramstyle="named"))
    )
