"""Hosts on one machine: network namespaces, each with a cable to a switch. Only root on Linux may make them."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from ipaddress import ip_network

SWITCH, OUTSIDE, NETWORK = "aft-switch", "10.213.77.1", ip_network("10.213.77.0/24")
ADDRESSES = {
    "database": "10.213.77.2",
    "web1": "10.213.77.11",
    "web2": "10.213.77.12",
    "worker1": "10.213.77.21",
    "worker2": "10.213.77.22",
}


class CantMake(Exception):
    """Why there can be no hosts here."""


def refuse_elsewhere() -> None:
    if os.name != "posix" or os.geteuid() != 0 or not shutil.which("ip"):
        raise CantMake("Network namespaces need Linux, root and iproute2's `ip`; nothing was tried.")
    if not shutil.which("haproxy"):
        raise CantMake("The balancer is HAProxy, and there is none here: apt-get install haproxy.")


@contextmanager
def cabled() -> Iterator[None]:
    """All hosts, each with a cable to the switch; the switch's own end is outside. They go when the block ends."""
    refuse_elsewhere()
    _take_away()
    try:
        _ip("link", "add", SWITCH, "type", "bridge")
        _ip("addr", "add", f"{OUTSIDE}/24", "dev", SWITCH)
        _ip("link", "set", SWITCH, "up")
        for name, address in ADDRESSES.items():
            _ip("netns", "add", _called(name))
            _ip("link", "add", _called(name), "type", "veth", "peer", "name", "eth0", "netns", _called(name))
            _ip("link", "set", _called(name), "master", SWITCH, "up")
            _ip("-n", _called(name), "addr", "add", f"{address}/24", "dev", "eth0")
            for end in ("lo", "eth0"):
                _ip("-n", _called(name), "link", "set", end, "up")
        yield
    except subprocess.CalledProcessError as error:
        raise CantMake(f"This machine makes no network namespaces: {error.stderr.decode().strip()}") from error
    finally:
        _take_away()


def _called(name: str) -> str:
    return f"aft-{name}"


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def _take_away() -> None:
    gone = [(kind, "del", _called(name)) for name in ADDRESSES for kind in ("link", "netns")]
    for command in (*gone, ("link", "del", SWITCH)):
        with suppress(subprocess.CalledProcessError):
            _ip(*command)


def plug(name: str, *, into: bool) -> None:
    """Pull a host's cable, or plug it in again."""
    _ip("link", "set", _called(name), "up" if into else "down")


def start(name: str, command: Sequence[str], environ: Mapping[str, str], log: str) -> subprocess.Popen[bytes]:
    """A program on this host; what it says goes to the end of a file."""
    with open(log, "ab") as said:
        inside = ["ip", "netns", "exec", _called(name), *command]
        return subprocess.Popen(inside, env={**os.environ, **environ}, stdout=said, stderr=said)
