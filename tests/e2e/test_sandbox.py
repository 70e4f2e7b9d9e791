# SPDX-License-Identifier: Apache-2.0
"""`redesignate serve`, as a newcomer runs it: one process, no servers, an answer by DNS."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import dns.rdata
import dns.rdatatype
import pytest

from redesignate.model.rdata import TYPES
from tests.e2e.records import EVERY_TYPE, under
from tests.support.bind import free_port
from tests.support.system import Process, Sandbox

pytestmark = pytest.mark.external

QUOTAS = "[DEFAULT]\nquota_zone_recordsets = 1000\nquota_zone_records = 1000\n"


def asked(port: int, name: str, rrtype: str, *, tcp: bool = False) -> dns.message.Message:
    query = dns.message.make_query(name, rrtype, use_edns=0, payload=1232)
    if tcp:
        return dns.query.tcp(query, "127.0.0.1", port=port, timeout=5)
    return dns.query.udp(query, "127.0.0.1", port=port, timeout=5)


def answered(port: int, name: str, rrtype: str) -> set[bytes]:
    number = dns.rdatatype.from_text(rrtype)
    answer = asked(port, name, rrtype, tcp=True)
    return {rdata.to_digestable() for rrset in answer.answer if rrset.rdtype == number for rdata in rrset}


def meant(rrtype: str, records: list[str]) -> set[bytes]:
    return {dns.rdata.from_text("IN", rrtype, record).to_digestable() for record in records}


def test_the_list_here_has_every_type_that_users_may_create() -> None:
    ours = {rrtype for _, rrtype, _ in EVERY_TYPE}

    assert ours - {"TYPE65280"} == set(TYPES) - {"SOA"}


def test_a_zone_with_every_type_is_answered_from_the_built_in_nameserver(tmp_path: Path) -> None:
    with Sandbox(tmp_path, options=QUOTAS) as system:
        zone = system.api.zone("every.example.")
        for name, rrtype, records in under("every.example."):
            made = system.api.rrset(zone["id"], name, rrtype, records)
            assert made["records"] == records
        system.api.active(zone["id"])

        for name, rrtype, records in under("every.example."):
            if name.startswith("child."):
                continue  # a delegation is referred, not answered
            assert answered(system.dns_port, name, rrtype) == meant(rrtype, records), (name, rrtype)
        referral = asked(system.dns_port, "www.child.every.example.", "A")
        assert next(rrset.rdtype for rrset in referral.authority) == dns.rdatatype.NS
        assert asked(system.dns_port, "nothing.every.example.", "A").rcode() == dns.rcode.NXDOMAIN


def test_an_empty_txt_is_shown_as_typed_and_served_as_one_empty_string(tmp_path: Path) -> None:
    with Sandbox(tmp_path) as system:
        zone = system.api.zone("empty.example.")
        sets = {"quoted.empty.example.": ['""'], "nothing.empty.example.": [""], "two.empty.example.": ['"" ""', '"a"']}
        for name, records in sets.items():
            made = system.api.rrset(zone["id"], name, "TXT", records)
            assert made["records"] == records
            assert system.api.get(f"/v2/zones/{zone['id']}/recordsets/{made['id']}")["records"] == records
        system.api.active(zone["id"])
        assert answered(system.dns_port, "quoted.empty.example.", "TXT") == {b"\0"}
        assert answered(system.dns_port, "nothing.empty.example.", "TXT") == {b"\0"}
        assert answered(system.dns_port, "two.empty.example.", "TXT") == {b"\0\0", b"\1a"}
        listed = system.api.get(f"/v2/zones/{zone['id']}/recordsets?type=TXT")["recordsets"]
        assert {one["name"]: one["records"] for one in listed} == sets
        both = system.api.rrset(zone["id"], "both.empty.example.", "TXT", ["", '""'])
        assert both["records"] == [""]  # one record, typed in two ways


def test_it_says_ready_in_one_line_and_two_commands_to_try(tmp_path: Path) -> None:
    with Sandbox(tmp_path) as system:
        lines = system.process.said().splitlines()
        (at,) = [number for number, line in enumerate(lines) if line.startswith("ready")]

        assert f"http://127.0.0.1:{system.port}" in lines[at]
        assert f"127.0.0.1:{system.dns_port}" in lines[at]
        assert "no login" in lines[at]
        assert lines[at + 1].strip().startswith("curl ")
        assert lines[at + 2].strip().startswith("dig ")


def test_a_second_start_finds_its_data_again(tmp_path: Path) -> None:
    system = Sandbox(tmp_path)
    with system:
        zone = system.api.zone("kept.example.")
        system.api.rrset(zone["id"], "www.kept.example.", "A", ["192.0.2.7"])
        system.api.active(zone["id"])
    with system:
        assert system.api.get(f"/v2/zones/{zone['id']}")["status"] == "ACTIVE"
        assert answered(system.dns_port, "www.kept.example.", "A") == meant("A", ["192.0.2.7"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly_on_a_signal(tmp_path: Path, number: int) -> None:
    system = Sandbox(tmp_path).start()

    system.api.close()
    assert system.process.stop(number, timeout=10) == 0
    assert "Traceback" not in system.folder.joinpath("serve.log").read_text()


def test_it_is_ready_within_three_seconds_and_small(tmp_path: Path) -> None:
    system = Sandbox(tmp_path)
    began = time.monotonic()
    with system:
        took = time.monotonic() - began
        status = Path(f"/proc/{system.process.pid}/status").read_text()
        resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))

        assert took < 15, "the figure is the bench's; this only catches a start that hangs"
        assert resident < 150 * 1024


@pytest.mark.parametrize(("taken", "mend"), [("API", " --port "), ("DNS", " --dns-port "), ("folder", "--state-dir")])
def test_what_another_serve_holds_is_refused_in_one_line_with_its_mend(tmp_path: Path, taken: str, mend: str) -> None:
    with Sandbox(tmp_path / "first") as system:
        port = system.port if taken == "API" else free_port()
        dns_port = system.dns_port if taken == "DNS" else free_port()
        state = system.state if taken == "folder" else tmp_path / "second"
        second = Process(
            ["serve", "--port", str(port), "--dns-port", str(dns_port), "--state-dir", str(state)],
            tmp_path / "second.log",
        )
        second.start()
        with pytest.raises(AssertionError, match=rf"redesignate: .*in use.*{mend}"):
            second.wait_for("ready: ")
        assert second.stop() == 1
        assert "Traceback" not in second.said()


def test_kill_9_after_the_answers_loses_nothing_and_serves_it_within_five_seconds_of_the_restart(
    tmp_path: Path,
) -> None:
    system = Sandbox(tmp_path, options=QUOTAS).start()
    zone = system.api.zone("killed.example.")
    names = [f"w{n}.killed.example." for n in range(60)]
    for name in names:
        system.api.rrset(zone["id"], name, "A", ["192.0.2.9"])
    system.api.close()
    system.process.kill()  # whatever was not yet told is in the outbox
    with system:
        system.api.active(zone["id"], timeout=5)
        for name in names:
            assert answered(system.dns_port, name, "A") == meant("A", ["192.0.2.9"])
