# SPDX-License-Identifier: Apache-2.0
"""The hidden primary at its sockets: asyncio for the peers, a few threads for the database.

It may be two processes, so that no flood takes the interpreter from publication: one follows the pools' servers, and
what anybody else sends, or what they send that is no publication, the other answers (`begin_handed`).
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from redesignate.config.settings import MdnsSettings, transfer_list
from redesignate.mdns.access import REFRESH_S, Access, Servers
from redesignate.mdns.answer import Answerer, Transfer
from redesignate.mdns.batch import Batches
from redesignate.mdns.limits import RateLimiter, RateLimits
from redesignate.mdns.memory import Memory
from redesignate.mdns.notify import Forward, drop
from redesignate.mdns.render import Rendered, Tell, render, room_of
from redesignate.mdns.reply import Client, error
from redesignate.mdns.source import Source, View
from redesignate.mdns.versions import Rendering, Versions
from redesignate.model.clock import Clock, now
from redesignate.model.errors import Unavailable
from redesignate.observe.log import Seldom, events
from redesignate.store.served_zone import ServedZone
from redesignate.threads.loop import PAUSE_S, LoopThread, Precedence
from redesignate.wire.handover import Handover, Kind, datagram, datagram_of, notified_of
from redesignate.wire.message import AXFR, IXFR, SOA, Rcode, asked_type
from redesignate.wire.server import Datagram, Datagrams, Sender, bind
from redesignate.wire.streams import StreamLimits, Streams

log = events(__name__)

_QUERY_THREADS = 2
_PUBLICATION = frozenset({SOA, IXFR, AXFR})
"""What secondaries ask to follow a zone: from their addresses it has threads and a queue of its own, so that no flood,
of other questions or of other peers, delays a change."""
_RENDER_THREADS = 2


class ZoneGone(Exception):
    """The zone was deleted between the question and its rendering."""


class Incomplete(ConnectionError):
    """A transfer cannot be ended: its connection is cut, so that the client does not take what it has for the zone."""


def publication(access: Access) -> Callable[[bytes, str], bool]:
    """What says of a packet and its sender whether it goes first: a secondary follows a zone with it. No query."""
    return lambda packet, peer: asked_type(packet) in _PUBLICATION and (access.trusts(peer) or access.signs(peer))


class DNSService:
    """A nameserver over a source. Any number of them, in one process or several, may listen on one port."""

    def __init__(
        self,
        source: Source,
        settings: MdnsSettings,
        *,
        clock: Clock = now,
        shared: bool = True,
        forward: Forward = drop,
        beside: Handover | None = None,
    ) -> None:
        """`shared`: further processes may listen on the same port. `forward`: called with NOTIFYs from primaries.
        `beside`: to the process that answers for this one what does not go first (`begin_handed`)."""
        self._source = source
        self._settings = settings
        self._shared = shared
        self._forward = forward
        self._beside = self._channel = beside
        self._alone = settings.workers == 1
        self._clock = clock
        self._servers = Servers()
        self._access = Access(transfer_list(settings.allow_transfer), self._servers)
        self._apart = self._servers.known
        self._publishes = publication(self._access)
        memory = Memory(settings.answer_cache_bytes)
        self._answerer = Answerer(settings, clock, forward, self._access, memory)
        self._batches = Batches(self._answerer, self._access, memory)
        self._room = room_of(settings.max_message_size)
        self._versions = Versions(settings.cache_bytes)
        self._queries = {
            True: ThreadPoolExecutor(_QUERY_THREADS, "mdns-publication"),
            False: ThreadPoolExecutor(_QUERY_THREADS, "mdns-query"),
        }
        self._precedence = Precedence()
        self._renders = ThreadPoolExecutor(_RENDER_THREADS, "mdns-render")
        rates = RateLimits(
            each=settings.responses_per_second, every=settings.questions_per_second, slip=settings.response_slip
        )
        self._limiter = RateLimiter(rates, trusts=self._access.trusts)
        self._logged = {"limited": Seldom(), "sent": Seldom(), "failed": Seldom(), "broken": Seldom()}
        self._datagrams: list[Datagrams] = []
        self._streams: list[Streams] = []
        self._looking: asyncio.Task[None] | None = None
        self._taken: set[asyncio.Task[None]] = set()
        self._thread: LoopThread | None = None
        self.addresses: list[tuple[str, int]] = []

    async def start(self, listen: Sequence[tuple[str, int]] | None = None) -> None:
        """Listen on UDP and TCP at each (host, port); on the settings' addresses where none are given.

        Raises OSError, with nothing left open.
        """
        sockets = []
        try:
            for host, port in self._settings.listen if listen is None else listen:
                sockets.append(bind(host, port, shared=self._shared))
            for udp, tcp in sockets:
                await self._listen(udp, tcp)
        except OSError:
            await self.close()
            for made in (made for pair in sockets for made in pair):
                made.close()
            raise
        if self._beside is not None:
            self._beside.start(self._take, self._take_over)
            self._looking = asyncio.ensure_future(self._look_again())
        log.info("listening", addresses=self.addresses)

    async def _listen(self, udp: socket.socket, tcp: socket.socket) -> None:
        beside = self._beside
        datagrams = self._datagrams_of(udp, None if beside is None else partial(self._pass_on, len(self._datagrams)))
        if beside is None or not beside.give(Kind.LISTEN, given=udp):
            datagrams.start()
        await self._new_streams().start(tcp, self._settings.tcp_backlog)
        self.addresses.append(udp.getsockname()[:2])

    def _datagrams_of(self, udp: socket.socket, elsewhere: Callable[[bytes, Sender], bool] | None) -> Datagrams:
        admits = self._limiter.admits
        made = Datagrams(udp, self._answer_datagrams, first=self._publishes, admits=admits, elsewhere=elsewhere)
        self._datagrams.append(made)
        return made

    def _new_streams(self) -> Streams:
        settings = self._settings
        limits = StreamLimits(
            most=max(1, settings.threads),
            each=settings.tcp_per_address,
            idle=settings.tcp_recv_timeout,
            slowest=settings.tcp_min_rate,
            keepidle=settings.tcp_keepidle,
        )
        made = Streams(self._answer_stream, limits, trusts=self._access.trusts, beside=self._beside)
        self._streams.append(made)
        return made

    def _pass_on(self, at: int, packet: bytes, sender: Sender) -> bool:
        """Have the other process answer a datagram. Where it cannot take more it is lost, as in any flood."""
        return self._beside is not None and (self._beside.give(Kind.DATAGRAM, datagram(at, sender, packet)) or True)

    def _take(self, kind: Kind, words: bytes, given: socket.socket | None) -> None:
        """What the other process handed over."""
        if kind is Kind.LISTEN and given is not None:
            self._datagrams_of(given, None).start()
        elif kind is Kind.STREAM and given is not None:
            task = asyncio.ensure_future(self._streams[0].take(given))
            self._taken.add(task)
            task.add_done_callback(self._taken.discard)
        elif kind is Kind.DATAGRAM:
            at, sender, packet = datagram_of(words)
            self._datagrams[at].take([(packet, sender)])
        elif kind is Kind.NOTIFIED:
            self._forward(*notified_of(words))

    def _take_over(self) -> None:
        """The other process has ended: all is answered here from now on."""
        log.error("the process that answers others than the pools' servers has ended; they are answered here")
        self._beside = None
        for datagrams in self._datagrams:
            datagrams.start()

    async def _look_again(self) -> None:
        """Keep knowing the pools' servers, though little is asked here; and end the other process where it hangs, which
        is then as if it had ended."""
        loop = asyncio.get_running_loop()
        while True:
            if self._beside is not None and self._beside.hangs():
                log.error("the process that answers others than the pools' servers hangs, and is killed")
                self._beside.kill()
            try:
                await loop.run_in_executor(self._queries[True], self._look)
            except Unavailable as fault:  # who is known stays known
                log.debug("pools not looked at", why=fault.message)
            except Exception:  # a loop of the service
                if (others := self._logged["broken"].turn()) is not None:
                    log.exception("pools not looked at", **others)
            if self._servers.known is not self._apart:
                self._keep_apart()
            await asyncio.sleep(REFRESH_S)

    def _look(self) -> None:
        with self._source.read() as view:
            self._servers.refresh(view)

    async def begin_handed(self, beside: Handover, ended: Callable[[], None] = lambda: None) -> None:
        """Answer from now on what another process of this nameserver hands over; call `ended` when that one ends."""
        self._alone, self._channel = False, beside
        self._new_streams()
        beside.start(self._take, ended)

    async def close(self) -> None:
        """Stop listening, cut connections, wait for the threads."""
        if self._looking is not None:
            self._looking.cancel()
        if self._channel is not None:
            self._channel.close()
        for datagrams in self._datagrams:
            datagrams.close()
        await asyncio.gather(*(streams.close() for streams in self._streams))
        self._servers.close()
        loop = asyncio.get_running_loop()
        for pool in (*self._queries.values(), self._renders):
            await loop.run_in_executor(None, pool.shutdown)

    def run_in_thread(self, listen: Sequence[tuple[str, int]] | None = None) -> None:
        """Start on a loop of its own in a thread, and return once it listens. Raises OSError."""
        self._thread = LoopThread("mdns", begin=lambda: self.start(listen), end=self.close)
        self._thread.start()

    def stop_thread(self) -> None:
        """End what `run_in_thread` began."""
        if self._thread is not None:
            self._thread.stop()
            self._thread = None

    async def _answer_datagrams(self, batch: Sequence[Datagram], first: bool) -> Sequence[bytes | None]:
        loop, before = asyncio.get_running_loop(), self._limiter.limited
        self._precedence.under_way += first
        try:
            answers = await loop.run_in_executor(self._queries[first], self._answer_all, batch, first, False)
        finally:
            self._precedence.under_way -= first
        if self._servers.known is not self._apart:
            self._keep_apart()
        passed = [
            self._limiter.passes(peer, answer) if isinstance(answer, bytes) else None
            for answer, (_, peer) in zip(answers, batch, strict=True)
        ]
        if self._limiter.limited > before and (others := self._logged["limited"].turn()) is not None:
            log.info("answers limited", peer=batch[-1][1], limited=self._limiter.limited, **others)
        return passed

    def _keep_apart(self) -> None:
        """Give the pools' servers queues of their own where no other process shares the port: the system would give all
        of a server's datagrams to one of them, even to one that stands still."""
        self._apart = self._servers.known
        if self._alone:
            for datagrams in self._datagrams:
                datagrams.keep_apart(self._apart.every)

    async def _answer_stream(self, packet: bytes, peer: str) -> AsyncIterator[bytes]:
        loop, first = asyncio.get_running_loop(), self._publishes(packet, peer)
        self._precedence.under_way += first
        try:
            batch = [(packet, peer)]
            (answer,) = await loop.run_in_executor(self._queries[first], self._answer_all, batch, first, True)
        finally:
            self._precedence.under_way -= first
        if isinstance(answer, bytes):
            yield answer
        elif isinstance(answer, Transfer):
            async for message in self._stream(answer, packet):
                yield message

    async def _stream(self, transfer: Transfer, packet: bytes) -> AsyncIterator[bytes]:
        """A transfer's messages. Raises Incomplete where it has begun and cannot be ended."""
        began, at, rendered = time.monotonic(), 0, transfer.rendered
        making = None if rendered else self._rendering(transfer.zone)
        ready = iter(rendered.chunks if rendered else ())
        try:
            while chunk := next(ready, None) if making is None else await making.chunk(at):
                yield transfer.message(chunk, self._clock)
                at += 1
                await asyncio.sleep(0)  # a peer that reads as fast as we write must not keep the loop from the others
        except (Unavailable, ZoneGone, ValueError) as fault:
            zone = transfer.zone
            if (others := self._logged["failed"].turn()) is not None:
                log.warning("transfer impossible", zone=zone.id, name=zone.name, why=str(fault), sent=at, **others)
            if at:
                raise Incomplete from fault
            refusal = error(packet, Rcode.SERVFAIL)
            if refusal:
                yield refusal
            return
        if (others := self._logged["sent"].turn()) is None:
            return
        whole = rendered or (making and await making.whole())
        assert whole
        log.info(
            "zone sent",
            zone=transfer.zone.id,
            name=transfer.zone.name,
            serial=whole.serial,
            peer=transfer.client.peer,
            kind="differences" if rendered else "whole",
            records=whole.records,
            ms=round(1000 * (time.monotonic() - began), 1),
            **others,
        )

    def _rendering(self, zone: ServedZone) -> Rendering:
        loop = asyncio.get_running_loop()

        async def make(tell: Tell) -> tuple[int, Rendered]:
            return await loop.run_in_executor(self._renders, self._render_now, zone.id, tell)

        return self._versions.get(zone.id, zone.revision, make)

    def _render_now(self, zone_id: str, tell: Tell) -> tuple[int, Rendered]:
        with self._source.read() as view:
            zone = view.zone(zone_id)
            if zone is None or not zone.loaded:
                raise ZoneGone("the zone was deleted, or has expired, meanwhile")
            return zone.revision, render(view, zone, self._room, tell)

    def _answer_all(self, batch: Sequence[Datagram], first: bool, tcp: bool) -> list[bytes | Transfer | None]:
        """Answer packets over one view. Never raises: a query that fails is answered with SERVFAIL."""
        answers: list[bytes | Transfer | None] = []
        ends = time.monotonic() + PAUSE_S
        try:
            with self._source.read() as view:
                ready: list[bytes | Client | None] = [None] if tcp else self._prepare(view, batch)
                for (packet, peer), one in zip(batch, ready, strict=True):
                    if isinstance(one, bytes):
                        answers.append(one)
                        continue
                    if not first and self._precedence.under_way:
                        self._precedence.give_way(ends)
                    try:
                        answers.append(self._answerer.answer(view, packet, tcp=tcp, peer=peer, client=one))
                    except Unavailable:
                        raise
                    except Exception:  # one packet must not take the others' answers with it
                        if (others := self._logged["broken"].turn()) is not None:
                            log.exception("query failed", peer=peer, packet=packet[:512].hex(), **others)
                        answers.append(error(packet, Rcode.SERVFAIL))
        except Unavailable as fault:
            if (others := self._logged["failed"].turn()) is not None:
                log.warning("database unavailable", why=str(fault), queries=len(batch), **others)
            return [error(packet, Rcode.SERVFAIL) for packet, _ in batch]
        return answers

    def _prepare(self, view: View, batch: Sequence[Datagram]) -> list[bytes | Client | None]:
        try:
            return self._batches.prepare(view, batch)
        except Unavailable:
            raise
        except Exception:  # each packet is then answered by itself, and the one that is at fault is logged
            if (others := self._logged["broken"].turn()) is not None:
                log.exception("batch not prepared", queries=len(batch), **others)
            return [None] * len(batch)
