# SPDX-License-Identifier: Apache-2.0
"""The exchanger against a small nameserver of dnspython's making, on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rrset
import dns.tsig
import pytest

from redesignate.model.tsigkey import Scope, TSIGKey
from redesignate.wire import client
from redesignate.wire.client import Exchanger, NoAnswer
from redesignate.wire.message import Malformed
from redesignate.wire.server import bind
from redesignate.wire.tsig import Refused

SECRET = "c2VjcmV0c2VjcmV0c2VjcmV0"
KEY = TSIGKey(id="k", name="key1", algorithm="hmac-sha256", secret=SECRET, scope=Scope.POOL, resource_id="p")
RING = {dns.name.from_text("key1."): dns.tsig.Key("key1.", SECRET, "hmac-sha256")}
SOA = "ns1.example.org. host.example.org. 2026 3600 600 86400 300"
Answerer = Callable[[bytes], bytes | None]


class Nameserver(asyncio.DatagramProtocol):
    """Answers what `answer` gives; None is silence."""

    def __init__(self, answer: Answerer) -> None:
        self.answer = answer
        self.asked: list[bytes] = []
        self.ports: set[int] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked.append(data)
        self.ports.add(addr[1])
        found = self.answer(data)
        if found is not None:
            self.transport.sendto(found, addr)  # type: ignore[attr-defined]


def answer_soa(packet: bytes) -> bytes:
    query = dns.message.from_wire(packet, keyring=RING)
    reply = dns.message.make_response(query)
    reply.flags |= dns.flags.AA
    reply.answer.append(dns.rrset.from_text("example.org.", 300, "IN", "SOA", SOA))
    return reply.to_wire()


def truncate(packet: bytes) -> bytes:
    reply = dns.message.make_response(dns.message.from_wire(packet, keyring=RING))
    reply.flags |= dns.flags.TC
    return reply.to_wire()


async def with_server(answer: Answerer, do: Callable[[Exchanger, int, Nameserver], Awaitable[None]]) -> None:
    """Run `do` against a nameserver on UDP (as told) and on TCP (which always answers with the SOA)."""
    datagrams, streams = bind("127.0.0.1", 0)
    port = datagrams.getsockname()[1]
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(lambda: Nameserver(answer), sock=datagrams)

    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(2), "big")
        found = answer_soa(await reader.readexactly(size))
        writer.write(len(found).to_bytes(2, "big") + found)
        await writer.drain()
        writer.close()

    tcp = await asyncio.start_server(stream, sock=streams)
    exchanger = Exchanger()
    try:
        await do(exchanger, port, server)
    finally:
        await exchanger.close()
        transport.close()
        tcp.close()
        await tcp.wait_closed()


def test_a_soa_query_finds_the_serial() -> None:
    async def do(exchanger: Exchanger, port: int, _: Nameserver) -> None:
        for key in (None, KEY):
            query = client.soa_query("example.org.", exchanger.new_id(), key)
            packet = await exchanger.exchange("127.0.0.1", port, query, 2)
            assert client.read_soa_answer(packet, query, key) == client.SOAAnswer(rcode=0, aa=True, serial=2026)

    asyncio.run(with_server(answer_soa, do))


def test_a_truncated_answer_is_asked_for_over_tcp() -> None:
    async def do(exchanger: Exchanger, port: int, server: Nameserver) -> None:
        query = client.soa_query("example.org.", 7)
        assert client.read_soa_answer(await exchanger.exchange("localhost", port, query, 2), query).serial == 2026
        assert len(server.asked) == 1

    asyncio.run(with_server(truncate, do))


def test_all_tcp_sends_nothing_over_udp() -> None:
    async def do(exchanger: Exchanger, port: int, server: Nameserver) -> None:
        query = client.soa_query("example.org.", 7)
        packet = await exchanger.exchange("127.0.0.1", port, query, 2, tcp=True)
        assert client.read_soa_answer(packet, query).serial == 2026
        assert server.asked == []

    asyncio.run(with_server(answer_soa, do))


def test_silence_ends_with_the_time_out() -> None:
    async def do(exchanger: Exchanger, port: int, _: Nameserver) -> None:
        with pytest.raises(NoAnswer, match="no answer within"):
            await exchanger.exchange("127.0.0.1", port, client.soa_query("example.org.", 7), 0.05)

    asyncio.run(with_server(lambda packet: None, do))


def test_a_forged_answer_is_not_taken() -> None:
    """Wrong id and wrong question are dropped: the exchange goes on waiting."""

    def forge_id(packet: bytes) -> bytes:
        return bytes((packet[0] ^ 1,)) + answer_soa(packet)[1:]

    def forge_question(packet: bytes) -> bytes:
        return answer_soa(packet).replace(b"\x07example", b"\x07exemple")

    async def do(exchanger: Exchanger, port: int, _: Nameserver) -> None:
        with pytest.raises(NoAnswer):
            await exchanger.exchange("127.0.0.1", port, client.soa_query("example.org.", 7), 0.05)

    asyncio.run(with_server(forge_id, do))
    asyncio.run(with_server(forge_question, do))


def test_many_exchanges_with_one_id_are_told_apart() -> None:
    async def do(exchanger: Exchanger, port: int, server: Nameserver) -> None:
        query = client.soa_query("example.org.", 7, KEY)
        await exchanger.exchange("127.0.0.1", port, query, 5)  # opens the socket: the others then go out at once
        server.asked.clear()
        found = await asyncio.gather(*(exchanger.exchange("127.0.0.1", port, query, 5) for _ in range(50)))
        assert {client.read_soa_answer(packet, query, KEY).serial for packet in found} == {2026}
        assert len({packet[:2] for packet in server.asked}) == 50


def test_exchanges_that_begin_together_share_one_socket() -> None:
    ports: set[int] = set()

    async def do(exchanger: Exchanger, port: int, server: Nameserver) -> None:
        queries = [client.soa_query("example.org.", n) for n in range(20)]
        await asyncio.gather(*(exchanger.exchange("127.0.0.1", port, query, 5) for query in queries))
        ports.update(server.ports)

    asyncio.run(with_server(answer_soa, do))
    assert len(ports) == 1


def test_a_socket_that_was_closed_is_opened_anew() -> None:
    async def do(exchanger: Exchanger, port: int, server: Nameserver) -> None:
        query = client.soa_query("example.org.", 7)
        for _ in range(2):
            packet = await exchanger.exchange("127.0.0.1", port, query, 5)
            assert client.read_soa_answer(packet, query).serial == 2026
            for transport in exchanger._transports.values():
                transport.abort()
        assert len(server.ports) == 2

    asyncio.run(with_server(answer_soa, do))


def test_a_refused_connection_is_no_answer() -> None:
    async def do() -> None:
        exchanger = Exchanger()
        with pytest.raises(NoAnswer):
            await exchanger.exchange("127.0.0.1", 1, client.soa_query("example.org.", 7), 2, tcp=True)
        await exchanger.close()

    asyncio.run(do())


def test_a_notify_is_what_dnspython_reads() -> None:
    read = dns.message.from_wire(client.notify_message("example.org.", 4000000000, 99, KEY), keyring=RING)
    assert read.id == 99
    assert read.opcode() == dns.opcode.NOTIFY
    assert read.flags & dns.flags.AA
    assert read.question[0].to_text() == "example.org. IN SOA"
    assert read.answer[0].to_text() == "example.org. 0 IN SOA . . 4000000000 0 0 0 0"
    assert read.had_tsig


def test_an_unsigned_answer_to_a_signed_query_is_refused() -> None:
    query = client.soa_query("example.org.", 7, KEY)
    unsigned = answer_soa(client.soa_query("example.org.", 7))
    with pytest.raises(Malformed, match="unsigned"):
        client.read_soa_answer(unsigned, query, KEY)


def test_a_tampered_signed_answer_is_refused() -> None:
    query = client.soa_query("example.org.", 7, KEY)
    reply = answer_soa(query).replace((2026).to_bytes(4, "big"), (2027).to_bytes(4, "big"))
    with pytest.raises(Refused, match="BADSIG"):
        client.read_soa_answer(reply, query, KEY)


def test_an_answer_of_another_rcode_has_no_serial() -> None:
    query = client.soa_query("example.org.", 7)
    reply = dns.message.make_response(dns.message.from_wire(query))
    reply.set_rcode(dns.rcode.REFUSED)
    assert client.read_soa_answer(reply.to_wire(), query) == client.SOAAnswer(rcode=5, aa=False, serial=None)
