# SPDX-License-Identifier: Apache-2.0
"""Questions to central over a message broker: the client's side.

A question that got no answer, because its connection broke or its central fell silent, is sent again until its
deadline; central carries a change out once (`central/questions.py`).
"""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from redesignate.bus import codec
from redesignate.bus.broker import Broker, own
from redesignate.bus.connection import Line, Link, Lost, NotSent, Refused
from redesignate.bus.convoy import MOST, lane
from redesignate.bus.port import Asked
from redesignate.bus.reader import AGAIN
from redesignate.bus.reckoning import Reckoning
from redesignate.commands.base import CallerCommand, Command
from redesignate.commands.table import READS
from redesignate.model.clock import new_id
from redesignate.model.errors import Problem, TimedOut, Unavailable
from redesignate.threads.batch import Batches
from redesignate.threads.bulkhead import aside
from redesignate.threads.deadline import Deadline, TooLate, current, uptime

R = TypeVar("R")

QUESTIONS = "questions"
WORKING = "working"
"""The type of a message that is no answer yet: central works on the question."""
FIRST_CONTACT_S = 3.0
SILENCE_S = 10.0
"""Central reports every half of this, or more often, that it still works on a question; after so long in silence it is
sent again."""
COMMIT_S = 30.0
"""The database ends a transaction that is idle for so long (`store.engine.EngineOptions.idle_s`; MySQL and SQLite do
not), so a commit that a stopped central still had to send comes at most that much later. A change must be carried out
so long before its caller gives up, or within half of its time where it has less than twice as much: then, and where the
database itself hangs in the commit, it may still be saved after its caller was answered."""
PAUSE_S = 0.1
"""The pause before a question is sent again."""

_BROKER = "The message broker is unavailable; retry."
_CENTRAL = "No central service is running; retry."
_NO_ANSWER = (
    "No answer in time. The change may have been made, or, if it was being saved, may still be: check before retrying."
)


class _Unanswered(Exception):
    """No answer came to this attempt; it may have been carried out."""


@dataclass(frozen=True, slots=True)
class _Item:
    """One question to send.

    deadline  when the caller gives up
    do_by     by then it is carried out, or not at all
    """

    body: bytes
    deadline: Deadline
    do_by: Deadline
    id: str | None
    again: bool = False


@dataclass(slots=True, eq=False)
class _Caller:
    """A caller that waits for a reply: `call` is held until there is one, or until it is known that none will come.

    heard     when central was last heard of
    unrouted  no queue took the question
    """

    call: threading.Lock = field(default_factory=threading.Lock)
    heard: float = field(default_factory=uptime)
    reply: bytes | None = None
    unrouted: bool = False


class AmqpCentral:
    """Central over the broker.

    Cost   one message there and one back, about half a millisecond on one machine; changes of one zone share them
           (`convoy`)
    """

    def __init__(self, broker: Broker, *, topic: str = "central") -> None:
        self._timeout_s = float(broker.settings.rpc_response_timeout)
        self._queue = own(QUESTIONS, topic)
        self._convoys: Batches[_Item, codec.Body] = Batches(self._carry, most=MOST)
        self._reckoning = Reckoning()
        self._callers: dict[str, _Caller] = {}
        self._numbers = itertools.count()
        self._closed = threading.Event()
        self._line = Line(broker, "questions", self._open, lost=self._lost)
        self._line.start()

    def call(self, command: Command[R]) -> R:
        """Send the question; return the answer or raise its Problem.

        Raises Unavailable where nothing was carried out: the broker is unavailable, no central runs, or the question
        came too late. Raises TimedOut where no answer came until the deadline; then nothing is begun any more.
        """
        item = self._item(command)
        key = lane(command)
        while True:
            try:
                answer = (
                    self._carry([item])[0] if key is None else self._convoys.ask(item, key=key, deadline=item.deadline)
                )
                return codec.reply_to(command, answer)
            except TooLate:
                if item.do_by.over() and not item.again:
                    raise
                self._reckoning.restart()  # by our estimate there was time
            except _Unanswered:
                item = replace(item, again=True)
            except Unavailable:
                if not item.again or type(command) in READS:
                    raise
                # an earlier attempt may have been carried out: only a later one can find out
            if item.deadline.over() or self._closed.wait(PAUSE_S):
                raise TimedOut(_NO_ANSWER)

    def close(self) -> None:
        """Disconnect; calls under way raise TimedOut."""
        self._closed.set()
        self._convoys.close()
        self._line.stop()

    def _item(self, command: Command[Any]) -> _Item:
        deadline = Deadline.after(self._timeout_s).earlier(current())
        left = deadline.left()
        do_by = Deadline(deadline.at - min(COMMIT_S, left / 2))
        once = isinstance(command, CallerCommand) and type(command) not in READS
        return _Item(codec.question(command), deadline, do_by if once else deadline, new_id() if once else None)

    def _carry(self, items: Sequence[_Item]) -> Sequence[codec.Body]:
        """Send one message; return the answers in order. Raises Unavailable where nothing was sent; _Unanswered."""
        link = self._line.link(min(FIRST_CONTACT_S, items[0].deadline.left()))
        if link is None or link.blocked:
            raise Unavailable(_BROKER)
        self._learn_clock(link, items)
        left = min(item.deadline.left() for item in items)
        if not left:
            raise TooLate("The request waited too long and was not carried out; retry.")
        again = any([item.again for item in items])
        answers = self._ask(link, [self._sent(item) for item in items], left, again=again)
        if len(answers) != len(items):
            raise Problem("Central's answer is not valid; are all services of one version?")
        return answers

    def _sent(self, item: _Item) -> bytes:
        until = None if item.id is None else self._reckoning.of(item.do_by.at)
        how = Asked(deadline=item.do_by, until=until, id=item.id, again=item.again)
        return codec.sent(item.body, how)

    def _learn_clock(self, link: Link, items: Sequence[_Item]) -> None:
        """Query the database's clock where a change is to be sent and the clock is not known yet."""
        if self._reckoning.of(0) is not None or all(item.id is None for item in items):
            return
        try:
            self._ask(link, [], min(FIRST_CONTACT_S, max(item.deadline.left() for item in items) + 0.1))
        except _Unanswered:
            raise Unavailable(_CENTRAL if self._line.link() is link else _BROKER) from None
        if self._reckoning.of(0) is None:
            raise Unavailable("The database is unavailable; retry.")

    def _ask(
        self, link: Link, questions: Sequence[bytes], timeout_s: float, *, again: bool = False
    ) -> Sequence[codec.Body]:
        """Send a message and return the answers. Raises as `_carry`."""
        deadline, caller, number = Deadline.after(timeout_s), _Caller(), str(next(self._numbers))
        caller.call.acquire()
        self._callers[number] = caller
        try:
            link.publish(
                codec.together(questions),
                self._queue,
                mandatory=True,
                reply_to=own("answers", link.id),
                correlation_id=number,
                expiration=str(math.ceil(timeout_s * 1000)),
                type=AGAIN if again else "",
            )
            with aside():
                _wait(caller, deadline)
        except Refused as error:
            raise Unavailable(f"The question was not sent: {error}.") from error
        except NotSent as error:
            raise Unavailable(_BROKER) from error
        except Lost as error:
            raise _Unanswered from error
        finally:
            del self._callers[number]
        if caller.unrouted:
            raise Unavailable(_CENTRAL)
        if caller.reply is None:
            raise _Unanswered
        reply = codec.reply(caller.reply)
        if reply.clock is not None:
            self._reckoning.learn(reply.clock)
        return reply.answers

    def _open(self, link: Link) -> None:
        """Make the queue for answers, which ends with the connection."""
        queue = own("answers", link.id)
        link.channel.queue_declare(queue, exclusive=True, auto_delete=True)
        link.channel.basic_consume(
            queue, no_ack=True, callback=self._hear, on_cancel=lambda _: link.fail(f"the queue {queue} was deleted")
        )
        link.channel.events["basic_return"].add(self._unrouted)

    def _hear(self, message: Any) -> None:
        caller = self._callers.get(message.properties.get("correlation_id", ""))
        if caller is None:
            return  # it has given up
        caller.heard = uptime()
        if message.properties.get("type") != WORKING:
            caller.reply = message.body
            _release(caller)

    def _unrouted(self, _error: object, _exchange: str, _queue: str, message: Any) -> None:
        caller = self._callers.get(message.properties.get("correlation_id", ""))
        if caller is not None:
            caller.unrouted = True
            _release(caller)

    def _lost(self) -> None:
        for caller in list(self._callers.values()):
            _release(caller)


def _wait(caller: _Caller, deadline: Deadline) -> None:
    """Wait for the reply, until the deadline or until central is silent for too long."""
    while not caller.call.acquire(timeout=min(deadline.left(), max(0.0, caller.heard + SILENCE_S - uptime()))):
        if deadline.over() or uptime() - caller.heard >= SILENCE_S:
            return


def _release(caller: _Caller) -> None:
    if caller.call.locked():
        caller.call.release()
