# SPDX-License-Identifier: Apache-2.0
"""A RabbitMQ of the tests' own: a node name, an epmd and a cookie that nobody else on the machine knows of."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.certificates import certify
from tests.support.servers import LOOPBACK, Server, accepts

BIN = "/usr/lib/rabbitmq/bin"  # the one in PATH insists on the system's own user and folders


class RabbitMQ(Server):
    """Speaks AMQP 0-9-1 on loopback alone; user and password are "guest"."""

    kind = "rabbitmq"
    user = "rabbitmq"
    start_s = 90.0

    @classmethod
    def wanted_ports(cls) -> tuple[str, ...]:
        """AMQP, Erlang's port mapper, Erlang's distribution."""
        return ("main", "epmd", "dist")

    def prepare(self) -> None:
        """Write the configuration and the cookie."""
        cookie = self.folder / ".erlang.cookie"
        cookie.write_text(uuid.uuid4().hex)
        cookie.chmod(0o400)
        self._own(cookie)
        (self.folder / "enabled_plugins").write_text("[].\n")
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = {LOOPBACK}:{self.port}\n"
            "vm_memory_high_watermark.absolute = 512MB\n"
            "disk_free_limit.absolute = 10MB\n"
            "log.file = false\n"
            "log.console = true\n"
            "log.console.level = warning\n"
        )

    def command(self) -> list[str]:
        """epmd beside the broker in one session: RabbitMQ would start one of its own and leave it behind."""
        epmd = f"epmd -address {LOOPBACK} -port {self.ports['epmd']}"
        return ["sh", "-c", f"{epmd} & exec {BIN}/rabbitmq-server"]

    def environment(self) -> dict[str, str]:
        """Everything in our folder, Erlang's own traffic on loopback."""
        folder = self.folder
        inside = "-kernel inet_dist_use_interface {127,0,0,1}"  # unquoted: the start script does not unquote
        return {
            "RABBITMQ_NODENAME": f"test@{LOOPBACK}",
            "RABBITMQ_USE_LONGNAME": "true",
            "RABBITMQ_DIST_PORT": str(self.ports["dist"]),
            "ERL_EPMD_PORT": str(self.ports["epmd"]),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "RABBITMQ_BASE": str(folder),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "logs"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "no-env"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{inside} +sbwt none +sbwtdcpu none +sbwtdio none +S 2:2",
        }

    def answers(self) -> bool:
        """Whether it listens: the AMQP port opens last."""
        return accepts(self.port)

    def transport_url(self) -> str:
        """The oslo.messaging URL of a new, empty virtual host."""
        vhost = f"test_{uuid.uuid4().hex[:12]}"
        self.eval(f'rabbit_vhost:add(<<"{vhost}">>, <<"test">>)')
        self._permit("guest", vhost)
        return f"rabbit://guest:guest@{LOOPBACK}:{self.port}/{vhost}"

    @contextmanager
    def short_of_memory(self) -> Iterator[None]:
        """The broker says that it is: it blocks connections that publish."""
        alarm = "{resource_limit, memory, node()}"
        self.eval(f"rabbit_alarm:set_alarm({{{alarm}, []}})")
        try:
            yield
        finally:
            self.eval(f"rabbit_alarm:clear_alarm({alarm})")

    def queues(self, url: str) -> dict[str, int]:
        """Every queue of a virtual host with its messages, ready and unacknowledged together."""
        return self._counted(url, "messages")

    def consumers(self, url: str) -> dict[str, int]:
        """Every queue of a virtual host with its consumers; those of a killed process have none until they expire."""
        return self._counted(url, "consumers")

    def close_connections(self) -> None:
        """Close every client's connection from the broker's side."""
        closing = 'rabbit_networking:close_connection(C, "drill")'
        self.eval(f"lists:foreach(fun(C) -> {closing} end, rabbit_networking:connections()), ok")

    def _counted(self, url: str, what: str) -> dict[str, int]:
        vhost = url.rpartition("/")[2]
        items = f'rabbit_amqqueue:info_all(<<"{vhost}">>, [name, {what}])'
        line = 'io_lib:format("~s=~b;", [element(4, Name), Count])'
        listed = self.eval(f"lists:flatten([{line} || [{{name, Name}}, {{{what}, Count}}] <- {items}])")
        pairs = (entry.rpartition("=") for entry in listed.strip('"').split(";") if "=" in entry)
        return {name: int(count) for name, _, count in pairs}

    def eval(self, expression: str) -> str:
        """Evaluate an Erlang expression in the broker, in milliseconds (rabbitmqctl takes two seconds)."""
        cookie = (self.folder / ".erlang.cookie").read_text()
        me = f"ask{uuid.uuid4().hex[:12]}"  # its own random names (-r) are alike in processes of the same second
        call = ["erl_call", "-timeout", "20", "-h", me, "-c", cookie, "-name", f"test@{LOOPBACK}", "-e"]
        answer = self.run(*call, stdin=f"{expression}.\n").strip()
        assert answer.startswith("{ok,"), f"{expression} → {answer}"
        return answer.removeprefix("{ok,").removesuffix("}").strip()

    def add_user(self, name: str, password: str, url: str) -> None:
        """Let a user into a virtual host."""
        vhost = url.rpartition("/")[2]
        self.eval(f'rabbit_auth_backend_internal:add_user(<<"{name}">>, <<"{password}">>, <<"test">>)')
        self._permit(name, vhost)

    def _permit(self, user: str, vhost: str) -> None:
        everything = ", ".join(['<<".*">>'] * 3)
        self.eval(
            f'rabbit_auth_backend_internal:set_permissions(<<"{user}">>, <<"{vhost}">>, {everything}, <<"test">>)'
        )


class TlsRabbitMQ(RabbitMQ):
    """Speaks TLS as well, with a certificate for "localhost" and an authority of its own (`ca.pem` in its folder)."""

    @classmethod
    def wanted_ports(cls) -> tuple[str, ...]:
        """Those of every RabbitMQ, and TLS."""
        return (*super().wanted_ports(), "tls")

    def prepare(self) -> None:
        """Make the certificates too."""
        super().prepare()
        for file in certify(self.folder, "localhost"):
            self._own(file)
        with (self.folder / "rabbitmq.conf").open("a") as conf:
            conf.write(
                f"listeners.ssl.1 = {LOOPBACK}:{self.ports['tls']}\n"
                f"ssl_options.cacertfile = {self.folder}/ca.pem\n"
                f"ssl_options.certfile = {self.folder}/cert.pem\n"
                f"ssl_options.keyfile = {self.folder}/key.pem\n"
                "ssl_options.verify = verify_none\n"
            )

    def answers(self) -> bool:
        """Whether it listens on both ports."""
        return super().answers() and accepts(self.ports["tls"])

    def tls_url(self, host: str = "localhost") -> str:
        """The URL of a new virtual host, by TLS."""
        return self.transport_url().replace(f"{LOOPBACK}:{self.port}", f"{host}:{self.ports['tls']}")
