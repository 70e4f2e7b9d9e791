# SPDX-License-Identifier: Apache-2.0
"""Operators' files become settings; whatever is wrong in them becomes one line."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import os
import stat
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from oslo_config import cfg

from redesignate.config.load import load, read
from redesignate.config.options import sections
from redesignate.config.settings import CentralAccess, Settings
from redesignate.config.urls import database_urls, endpoint
from redesignate.model.errors import Misconfigured
from redesignate.observe.setup import register_log_options

SAMPLES = Path(__file__).parent / "samples"
SECRET = "s3cret"


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("OS_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def _load(tmp_path: Path, text: str) -> Settings:
    return load(files=[_file(tmp_path, text)])


def _file(tmp_path: Path, text: str, name: str = "designate.conf") -> str:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return str(file)


def test_without_files_every_setting_has_its_default() -> None:
    read_ = load(files=[])
    assert dataclasses.replace(read_, host="localhost") == Settings()
    assert read_.host


def test_every_option_of_ours_can_be_read_without_a_file() -> None:
    conf = cfg.ConfigOpts()
    conf(args=[], default_config_files=[], default_config_dirs=[])
    for section, options in sections().items():
        conf.register_opts(options, group=None if section == "DEFAULT" else section)
        for option in options:
            assert option.help, option.name
            (conf if section == "DEFAULT" else conf[section])[option.dest]


# -- files as deployers write them


def test_a_file_of_kolla_loads() -> None:
    settings = load(files=[str(SAMPLES / "kolla.conf")])
    assert settings.api.listen == (("192.0.2.11", 9001),)
    assert settings.api.enable_proxy_headers_parsing
    assert settings.api.workers == settings.worker.workers == settings.mdns.workers == 5
    assert settings.central.managed_resource_email == "dns-admin@example.org"
    assert settings.store.url == f"mysql+pymysql://designate:{SECRET}@192.0.2.10:3306/designate"
    assert settings.store.max_retries == -1
    assert settings.bus.transport_url is not None
    assert settings.central_access is CentralAccess.DIRECT


def test_a_file_of_devstack_loads() -> None:
    settings = load(files=[str(SAMPLES / "devstack.conf")])
    assert settings.api.listen == (("0.0.0.0", 60053),)
    assert settings.central.poll_max_retries == 6
    assert settings.central.quotas["zones"] == 10000
    assert settings.central.quotas["zone_records"] == 500
    assert settings.central.supported_record_type == ("A", "AAAA", "CNAME", "MX", "SRV", "TXT", "NS", "PTR")
    assert settings.coordination.backend_url == "memcached://127.0.0.1:11211"


def test_a_file_with_sections_of_every_age_loads() -> None:
    settings = load(files=[str(SAMPLES / "old.conf")])
    assert settings.central.default_soa_refresh_min == 500
    assert settings.central.max_recordset_name_len == 200
    assert settings.api.max_request_body_size == 65536
    assert settings.store.url == f"postgresql+psycopg://designate:{SECRET}@db.example.org/designate"


@pytest.mark.parametrize("name", ["kolla.conf", "devstack.conf", "old.conf"])
def test_the_samples_load_with_the_libraries_options_and_no_secret_in_sight(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    both = read(files=[str(SAMPLES / name)], register=register_log_options)
    assert SECRET not in repr(both.settings)
    assert SECRET not in " ".join(both.notes)
    assert SECRET not in caplog.text


def test_old_spellings_and_unknown_keys_are_told_once_each(tmp_path: Path) -> None:
    text = "[DEFAULT]\ndefault_soa_refresh = 5\n[service:worker]\npoll_retry_intervall = 9\npoll-delay = 1\n"
    file = _file(tmp_path, text + "[service:wroker]\na = b\n[database]\nmax_retries = 3\n")
    assert read(files=[file]).notes == (
        f"{file}: [service:worker] poll_retry_intervall is not an option; did you mean poll_retry_interval?",
        f"{file}: section [service:wroker] is not read; did you mean [service:worker]?",
        f"{file}: [DEFAULT] default_soa_refresh is an old spelling of [DEFAULT] default_soa_refresh_min",
        f"{file}: [database] max_retries is an old spelling of [storage:sqlalchemy] max_retries",
    )


def test_sections_of_old_releases_and_of_libraries_are_passed_over() -> None:
    notes = " ".join(read(files=[str(SAMPLES / "old.conf")]).notes)
    for section in ("pool_manager", "zone_manager", "agent", "monasca"):
        assert section not in notes
    assert read(files=[str(SAMPLES / "kolla.conf")]).notes == ()


def test_a_dash_is_as_good_as_an_underscore(tmp_path: Path) -> None:
    settings = _load(tmp_path, "[service:worker]\nthreshold-percentage = 60\n[DEFAULT]\nroot-helper = sudo\n")
    assert settings.central.threshold_percentage == 60


def test_central_judges_by_the_workers_section(tmp_path: Path) -> None:
    text = "[service:worker]\nthreshold_percentage = 50\npoll_retry_interval = 7\npoll_max_retries = 3\n"
    central = _load(tmp_path, text).central
    assert (central.threshold_percentage, central.poll_retry_interval, central.poll_max_retries) == (50, 7, 3)


# -- where files are looked for


def test_the_folder_of_the_wsgi_variable_replaces_the_usual_ones(tmp_path: Path) -> None:
    _file(tmp_path, "[DEFAULT]\ndefault_ttl = 1\n")
    other = _file(tmp_path / "etc", "[DEFAULT]\ndefault_ttl = 2\nquota_zones = 3\n")
    later = _file(tmp_path / "etc", "[DEFAULT]\ndefault_ttl = 4\n", "redesignate.conf")
    drop_in = _file(tmp_path / "etc" / "designate.conf.d", "[DEFAULT]\nquota_zones = 5\n", "10.conf")
    settings = read(environment={"OS_DESIGNATE_CONFIG_DIR": str(tmp_path / "etc")}).settings
    assert settings.files == (other, later, drop_in)
    assert settings.central.default_ttl == 4
    assert settings.central.quotas["zones"] == 5


def test_the_working_folder_is_looked_into(tmp_path: Path) -> None:
    _file(tmp_path, "[DEFAULT]\ndefault_ttl = 77\n")
    assert read(environment={}).settings.central.default_ttl == 77


def test_files_on_the_command_line_replace_those_that_are_found(tmp_path: Path) -> None:
    _file(tmp_path, "[DEFAULT]\nquota_zones = 1\n")
    mine = _file(tmp_path, "[DEFAULT]\ndefault_ttl = 78\n", "mine.conf")
    settings = load(["--config-file", mine])
    assert (settings.central.default_ttl, settings.central.quotas["zones"]) == (78, 10)


def test_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_DEFAULT__DEFAULT_TTL", "99")
    assert _load(tmp_path, "[DEFAULT]\ndefault_ttl = 5\n").central.default_ttl == 99
    monkeypatch.setenv("OS_DEFAULT__DEFAULT_TTL", "soon")
    with pytest.raises(Misconfigured, match=r"^\$OS_DEFAULT__DEFAULT_TTL: \[DEFAULT\] default_ttl: expected"):
        _load(tmp_path, "")


# -- central in-process or over the bus

BROKER, STORE = "transport_url = rabbit://u:p@mq//\n", "[storage:sqlalchemy]\nconnection = sqlite:////tmp/x\n"


@pytest.mark.parametrize(
    ("text", "access"),
    [
        ("", CentralAccess.DIRECT),
        (BROKER, CentralAccess.BUS),
        (STORE, CentralAccess.DIRECT),
        (BROKER + STORE, CentralAccess.DIRECT),
        ("central_access = bus\n" + BROKER + STORE, CentralAccess.BUS),
        ("central_access = direct\n" + BROKER, CentralAccess.DIRECT),
        ("transport_url =\n", CentralAccess.DIRECT),
    ],
)
def test_central_is_reached_over_the_bus_where_there_is_a_broker_and_no_database(
    tmp_path: Path, text: str, access: CentralAccess
) -> None:
    assert _load(tmp_path, "[DEFAULT]\n" + text).central_access is access


# -- wrong values

WRONG = [
    ("DEFAULT", "default_ttl", "banana", "whole number"),
    ("DEFAULT", "default_ttl", "-1", "from 0"),
    ("DEFAULT", "default_ttl", "2147483648", "up to 2147483647"),
    ("DEFAULT", "quota_driver", "file", "one of: storage, noop"),
    ("DEFAULT", "state_path", "$nosuch/x", "$name that is not set"),
    ("DEFAULT", "central_access", "bus", "needs transport_url"),
    ("DEFAULT", "central_access", "somehow", "one of: auto, direct, bus"),
    ("DEFAULT", "default_soa_refresh_min", "9999", "must not be above"),
    ("service:api", "listen", "0.0.0.0:66666", "host:port"),
    ("service:api", "listen", "0.0.0.0:http", "host:port"),
    ("service:api", "listen", "1:2:3:4", "host:port"),
    ("service:api", "auth_strategy", "basic", "one of: keystone, token, noauth"),
    ("service:api", "enable_api_v2", "perhaps", "true or false"),
    ("service:api", "api_base_uri", "nowhere", "URL"),
    ("service:api", "workers", "0", "from 1"),
    ("service:api", "max_limit_v2", "5", "must not be above max_limit_v2"),
    ("service:central", "default_pool_id", "default", "UUID"),
    ("service:central", "managed_resource_email", "nobody", "mail address"),
    ("service:mdns", "max_message_size", "70000", "up to 65535"),
    ("service:mdns", "tcp_recv_timeout", "soon", "number"),
    ("service:worker", "threshold_percentage", "101", "up to 100"),
    ("service:worker", "threshold-percentage", "x", "whole number"),
    ("service:producer", "enabled_tasks", "zone_purge,nosuch", "there is no task nosuch"),
    ("producer_task:zone_purge", "interval", "0", "from 0.05"),
    ("storage:sqlalchemy", "connection", f"oracle://scott:{SECRET}@db/x", "no database called oracle"),
    ("storage:sqlalchemy", "connection", SECRET, "expected a URL"),
    ("storage:sqlalchemy", "max_pool_size", "many", "whole number"),
    ("database", "connection", SECRET, "expected a URL"),
    ("heartbeat_emitter", "emitter_type", "telepathy", "one of: rpc, noop"),
    ("oslo_middleware", "max_request_body_size", "big", "whole number"),
    ("cors", "max_age", "-1", "from 0"),
]


@pytest.mark.parametrize(("section", "key", "value", "mend"), WRONG)
def test_a_wrong_value_is_one_line_with_file_key_and_mend(
    tmp_path: Path, section: str, key: str, value: str, mend: str
) -> None:
    _file(tmp_path, "[DEFAULT]\nquota_zones = 3\n", "first.conf")
    file = _file(tmp_path, f"[{section}]\n{key} = {value}\n")
    with pytest.raises(Misconfigured) as refusal:
        load(files=[str(tmp_path / "first.conf"), file])
    line = refusal.value.message
    assert "\n" not in line
    assert mend in line
    assert SECRET not in line
    assert file in line
    named = key.replace("-", "_") if key != "max_limit_v2" else "default_limit_v2"
    assert f" {named}: " in line


@pytest.mark.parametrize("text", ["hello\n", "[DEFAULT\n", "[DEFAULT]\n = 5\n", "[DEFAULT]\n\xff\xfe"])
def test_a_file_that_is_no_configuration_is_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "designate.conf"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(Misconfigured) as refusal:
        load(files=[str(file)])
    assert "\n" not in refusal.value.message
    assert "designate.conf" in refusal.value.message


SOURCE = "[DEFAULT]\nconfig_source = far\n[far]\ndriver = {driver}\nuri = {uri}\n"


@pytest.fixture
def far(tmp_path: Path) -> Iterator[str]:
    """The URL of a file of options on a web server."""
    (tmp_path / "www").mkdir()
    text = "[service:api]\nauth_strategy = keystone\n[service:worker]\nthreshold_percentage = 50\n"
    _file(tmp_path / "www", text, "good")
    _file(tmp_path / "www", "[service:worker]\nthreshold_percentage = 101\n", "bad")
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "www"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_source_of_oslo_config_is_read_like_a_file(tmp_path: Path, far: str) -> None:
    file = _file(tmp_path, SOURCE.format(driver="remote_file", uri=f"{far}/good"))
    found = read(files=[file])
    assert (found.settings.api.auth_strategy, found.settings.central.threshold_percentage) == ("keystone", 50)
    assert found.sources.sets("service:api", "auth_strategy")  # so `serve` does not do without a login
    assert not found.sources.sets("service:api", "max_limit_v2")
    own = _file(tmp_path, "[service:worker]\nthreshold_percentage = 60\n", "own.conf")
    for files in ([file, own], [own, file]):
        assert load(files=files).central.threshold_percentage == 60


@pytest.mark.parametrize(
    ("driver", "path", "named"),
    [
        ("remote_file", "{far}/nothing", r"\[DEFAULT\] config_source: .*'far'.*; correct that section"),
        ("remote_file", "http://127.0.0.1:1/", r"\[DEFAULT\] config_source: .*'far'.*refused.*; correct that section"),
        ("telepathy", "{far}/good", r"\[DEFAULT\] config_source: .*'far'.*; correct that section"),
        ("remote_file", "{far}/bad", r"config_source far: \[service:worker\] threshold_percentage: expected"),
    ],
)
def test_a_source_that_cannot_be_read_stops_the_start(
    tmp_path: Path, far: str, driver: str, path: str, named: str
) -> None:
    """oslo.config alone would go on without it: with no login where the source asks for one."""
    file = _file(tmp_path, SOURCE.format(driver=driver, uri=path.format(far=far)))
    with pytest.raises(Misconfigured, match=named) as refusal:
        read(files=[file])
    assert "\n" not in refusal.value.message


def test_files_that_are_not_there_are_named() -> None:
    for argv, files in ((["--config-file", "/nosuch/a.conf"], None), ([], ["/nosuch/a.conf"])):
        with pytest.raises(Misconfigured, match=r"^/nosuch/a\.conf: there is no such file"):
            load(argv, files)
    with pytest.raises(Misconfigured, match=r"^/nosuch/d: there is no such folder"):
        load(["--config-dir", "/nosuch/d"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    file = Path(_file(tmp_path, ""))
    file.chmod(stat.S_IWUSR)
    with pytest.raises(Misconfigured, match="may not be read"):
        load(files=[str(file)])


# -- addresses


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("mysql://u:p@db/d", ("mysql+pymysql://u:p@db/d",)),
        ("mysql+mysqldb://u:p@db/d?charset=utf8", ("mysql+pymysql://u:p@db/d?charset=utf8",)),
        ("mysql+mysqlconnector://u:p@db/d", ("mysql+pymysql://u:p@db/d",)),
        ("mariadb+pymysql://u:p@db/d", ("mysql+pymysql://u:p@db/d",)),
        ("postgresql://u:p@db/d", ("postgresql+psycopg://u:p@db/d",)),
        ("postgresql+psycopg2://u:p@/d?host=/run", ("postgresql+psycopg://u:p@/d?host=/run",)),
        ("postgres://u@[::1]:5432/d", ("postgresql+psycopg://u@[::1]:5432/d",)),
        ("sqlite:////var/lib/x.db", ("sqlite:////var/lib/x.db",)),
        ("sqlite://", ("sqlite://",)),
        ("mysql://u:p@a:3306,b:3307/d?x=1", ("mysql+pymysql://u:p@a:3306/d?x=1", "mysql+pymysql://u:p@b:3307/d?x=1")),
        ("mysql://u:p@a,u:p@b/d", ("mysql+pymysql://u:p@a/d", "mysql+pymysql://u:p@b/d")),
        ("mysql://u:p%2C%40@a/d", ("mysql+pymysql://u:p%2C%40@a/d",)),
    ],
)
def test_database_urls_name_the_drivers_that_we_ship(text: str, urls: tuple[str, ...]) -> None:
    assert database_urls(text) == urls


def test_connection_parameters_are_appended(tmp_path: Path) -> None:
    text = "[storage:sqlalchemy]\nconnection = mysql://u@a,b/d?x=1\nslave_connection = mysql://u@c/d\n"
    store = _load(tmp_path, text + "connection_parameters = y=2\n").store
    assert store.url == "mysql+pymysql://u@a/d?x=1&y=2"
    assert store.read_urls == ("mysql+pymysql://u@b/d?x=1&y=2", "mysql+pymysql://u@c/d?y=2")


@effort(deadline=None)
@given(st.ip_addresses(), st.integers(0, 65535) | st.none())
def test_an_endpoint_is_read_as_it_is_written(address: object, port: int | None) -> None:
    host = str(address)
    tail = "" if port is None else f":{port}"
    text = f"[{host}]{tail}" if ":" in host else f"{host}{tail}"
    assert endpoint(text, 53) == (host, 53 if port is None else port)


@effort(deadline=None)
@given(st.text(max_size=12))
def test_no_text_breaks_the_reading_of_an_endpoint(text: str) -> None:
    with contextlib.suppress(ValueError):
        host, port = endpoint(text, 53)
        assert host
        assert 0 <= port < 65536


def test_several_addresses_are_listened_on(tmp_path: Path) -> None:
    listen = _load(tmp_path, "[service:mdns]\nlisten = 192.0.2.1:53, [::1]:5353, ::1, ns.example.org\n").mdns.listen
    assert listen == (("192.0.2.1", 53), ("::1", 5353), ("::1", 5354), ("ns.example.org", 5354))


def test_the_journal_is_kept_for_ever_where_the_operator_says_zero(tmp_path: Path) -> None:
    for keep, age in ((0, 2**31 - 1), (60, 60)):
        settings = _load(tmp_path, f"[service:central]\njournal_keep = {keep}\n")
        assert settings.producer.tasks["journal_trim"].time_threshold == age


def test_every_kind_of_section_is_spelled_as_the_contract_spells_it() -> None:
    named = set(sections())
    assert {f"service:{s}" for s in ("api", "central", "mdns", "worker", "producer", "sink")} <= named
    assert {"DEFAULT", "storage:sqlalchemy", "coordination", "heartbeat_emitter", "oslo_middleware", "cors"} <= named
    assert len(list(itertools.chain(*sections().values()))) > 150
