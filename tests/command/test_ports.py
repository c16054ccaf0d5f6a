"""Ports that were asked for are checked before anything is started."""

import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cercles.commands import app
from cercles.ports import PortTakenError, check_free, free_ports
from schemas.listening import listen


@pytest.mark.parametrize("option", ["--gateway-port", "--reader-port", "--exporter-port", "--kafka-port"])
def test_up_refuses_a_port_in_use_before_anything_is_started(tmp_path: Path, option: str) -> None:
    """Exit code 2, the port and the option; no broker has been started."""
    with listen("127.0.0.1", 0, backlog=1) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(app, ["up", "--data", str(tmp_path / "data"), option, str(port)])
    assert result.exit_code == 2
    assert f"port {port} is in use: choose another with {option}" in result.stderr
    assert not (tmp_path / "data" / "kafka").exists()


def test_free_ports_are_taken_as_they_are() -> None:
    """They are free afterwards too; 0 asks for none."""
    [port] = free_ports(1)
    for _ in range(2):
        check_free({"--gateway-port": port, "--reader-port": 0})
    socket.create_server(("127.0.0.1", port)).close()


def test_two_servers_can_not_have_one_port() -> None:
    """The second option is named."""
    [port] = free_ports(1)
    with pytest.raises(PortTakenError, match=f"port {port} is in use: choose another with --reader-port"):
        check_free({"--gateway-port": port, "--reader-port": port})
