# SPDX-License-Identifier: Apache-2.0
"""Questions to central over a message broker, by oslo.messaging's RPC: the client's side.

A question that got no answer, because its connection broke or its central fell silent, is sent again until its
deadline; central carries a change out once (`central/questions.py`). No thread of ours ever waits in the library for a
broker that is known to be unavailable.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from redesignate.bus import codec
from redesignate.bus.broker import Broker, messaging, own
from redesignate.bus.convoy import MOST, lane
from redesignate.bus.ends import REFUSED_S, UNAVAILABLE, Disconnecting
from redesignate.bus.port import Asked
from redesignate.bus.reckoning import Reckoning
from redesignate.commands.base import CallerCommand, Command
from redesignate.commands.table import READS
from redesignate.model.clock import new_id
from redesignate.model.errors import TimedOut, Unavailable
from redesignate.observe.log import events
from redesignate.threads.batch import Batches
from redesignate.threads.deadline import Deadline, TooLate, current
from redesignate.threads.service import Daemon

R = TypeVar("R")
log = events(__name__)

FIRST_CONTACT_S = 3.0
SILENCE_S = 10.0
"""Central reports every half of this that it still works on a question; after so long in silence it is sent again."""
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


class _Lost(Exception):
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


class _Line:
    """One connection to central, with a queue for answers of its own. Closed when it is not used any more."""

    def __init__(self, broker: Broker, topic: str) -> None:
        self._transport = broker.rpc()
        target = messaging.Target(exchange=broker.settings.control_exchange, topic=own(topic))
        self._client = messaging.get_rpc_client(
            self._transport, target, retry=0, transport_options=messaging.TransportOptions(at_least_once=True)
        )
        self._lock = threading.Lock()
        self._users = 1
        self.hung_up = Disconnecting(self._transport.cleanup)

    def clock(self, timeout_s: float) -> int | None:
        """Return the database's clock as central knows it (µs); None: its database is unavailable.

        On the first call the library also makes the queue for answers, and may wait for the broker for ever.
        Raises what the library raises.
        """
        moment: int | None = self._client.prepare(timeout=timeout_s).call({}, "clock")
        return moment

    def ask(self, bodies: Sequence[str], timeout_s: float) -> dict[str, Any]:
        """Send questions in one message and return the reply. Raises what the library raises."""
        with self._lock:
            if not self._users:
                raise ConnectionError("the line is closed")
            self._users += 1
        try:
            silence = SILENCE_S if timeout_s > SILENCE_S else None  # else the deadline comes first
            client = self._client.prepare(timeout=timeout_s, call_monitor_timeout=silence)
            reply: dict[str, Any] = client.call({}, "answer", bodies=bodies)
            return reply
        finally:
            self.release()

    def release(self) -> None:
        """Release one use; after the last a thread disconnects, since the library waits for a broker even for that."""
        with self._lock:
            self._users -= 1
            if not self._users:
                self.hung_up.start()


class AmqpCentral:
    """Central over the broker.

    After an outage it uses a new connection: for a minute the library's servers do not use a queue for answers that was
    missing for too long, although it exists again.
    Cost   one message there and one back, about 2 ms on one machine; changes of one zone share them (`convoy`).
    """

    def __init__(self, broker: Broker, *, topic: str = "central") -> None:
        self._broker = broker
        self._topic = topic
        self._convoys: Batches[_Item, str] = Batches(self._carry, most=MOST)
        self._reckoning = Reckoning()
        self._line: _Line | None = None
        self._connected = threading.Event()
        self._closed = threading.Event()
        self._swapping = threading.Lock()
        self._connector = Daemon("central-connect", self._connect)
        self._connector.start()

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
                return codec.reply_to(command, answer.encode())
            except TooLate:
                if item.do_by.over() and not item.again:
                    raise
                self._reckoning.restart()  # by our estimate there was time
            except _Lost:
                if type(command) in READS and not self._broker.doubt():
                    raise Unavailable(_BROKER) from None
                item = replace(item, again=True)
            except Unavailable:
                if not item.again or type(command) in READS:
                    raise
                # an earlier attempt may have been carried out: only a later one can find out
            if item.deadline.over() or self._closed.wait(PAUSE_S):
                raise TimedOut(_NO_ANSWER)

    def close(self) -> None:
        """Disconnect as soon as calls under way are done; waits for that, but not for long."""
        self._closed.set()
        self._convoys.close()
        self._connector.stop(0)
        line = self._drop()
        if line is not None:
            line.hung_up.wait(self._broker)

    def _item(self, command: Command[Any]) -> _Item:
        timeout = float(self._broker.settings.rpc_response_timeout)
        deadline = Deadline.after(timeout).earlier(current())
        left = deadline.left()
        do_by = Deadline(deadline.at - min(COMMIT_S, left / 2))
        once = isinstance(command, CallerCommand) and type(command) not in READS
        return _Item(codec.question(command), deadline, do_by if once else deadline, new_id() if once else None)

    def _carry(self, items: Sequence[_Item]) -> Sequence[str]:
        """Send one message; return the answers in order. Raises Unavailable where nothing was sent, else _Lost."""
        if self._broker.up():
            self._connected.wait(min(FIRST_CONTACT_S, items[0].deadline.left()))
        line = self._line
        if line is None:
            raise Unavailable(_BROKER)
        self._learn_clock(line, items)
        left = min(item.deadline.left() for item in items)
        if not left:
            raise TooLate("The request waited too long and was not carried out; retry.")
        try:
            reply = line.ask([self._sent(item) for item in items], left)
        except messaging.MessageUndeliverable as error:
            raise Unavailable(_CENTRAL) from error
        except messaging.MessagingTimeout as error:
            raise _Lost from error
        except UNAVAILABLE as error:
            self._broker.doubt()
            raise _Lost from error
        if reply["clock"] is not None:
            self._reckoning.learn(reply["clock"])
        answers: Sequence[str] = reply["answers"]
        return answers

    def _sent(self, item: _Item) -> str:
        until = None if item.id is None else self._reckoning.of(item.do_by.at)
        how = Asked(deadline=item.do_by, until=until, id=item.id, again=item.again)
        return codec.sent(item.body, how).decode()

    def _learn_clock(self, line: _Line, items: Sequence[_Item]) -> None:
        """Query the database's clock where a change is to be sent and the clock is not known yet."""
        if self._reckoning.of(0) is not None or all(item.id is None for item in items):
            return
        try:
            moment = line.clock(min(FIRST_CONTACT_S, max(item.deadline.left() for item in items) + 0.1))
        except messaging.MessagingException as error:
            raise Unavailable(_CENTRAL) from error
        except UNAVAILABLE as error:
            self._broker.doubt()
            raise Unavailable(_BROKER) from error
        if moment is None:
            raise Unavailable("The database is unavailable; retry.")
        self._reckoning.learn(moment)

    def _connect(self) -> float | None:
        """Connect, and stay until an outage; then the next turn connects anew."""
        if not self._broker.wait_up() or self._connector.stopping:
            return None
        outages = self._broker.outages
        line = _Line(self._broker, self._topic)
        try:
            with contextlib.suppress(messaging.MessagingTimeout, messaging.MessageUndeliverable):
                moment = line.clock(2)
                if moment is not None:
                    self._reckoning.learn(moment)
        except UNAVAILABLE as error:
            log.error("no connection to central through the message broker", why=str(error))
            line.release()
            return REFUSED_S
        self._line = line
        self._connected.set()
        if not self._connector.stopping:  # else `close` may have dropped the line before it was there
            self._broker.wait_outage(outages)
        self._drop()
        return 0

    def _drop(self) -> _Line | None:
        self._connected.clear()
        with self._swapping:
            line, self._line = self._line, None
        if line is not None:
            line.release()
        return line
