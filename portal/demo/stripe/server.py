"""The program: HTTP on loopback, one thread per connection."""

import json
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from portal.demo.stripe.book import Book, Thing
from portal.demo.stripe.calls import Api, Call, Reply
from portal.demo.stripe.control import Control
from portal.demo.stripe.faults import Fault, Faults
from portal.demo.stripe.hooks import Messenger
from portal.demo.stripe.problems import Problem
from portal.demo.stripe.routes import read_form


class StandIn:
    """A Stripe of one's own: `start` it in a thread, or `run` it as a program."""

    def __init__(self, state: Path, webhook: str = "", secret: str = "") -> None:
        self.book = Book(state)
        self.api = Api(self.book)
        self.faults = Faults()
        self.messenger = Messenger(self.book, webhook, secret)
        self.control = Control(self.book, self.api, self.faults, self.messenger)
        self.server: Server | None = None

    def start(self, port: int = 0) -> str:
        """Answer from now on; the address."""
        self.server = Server(("127.0.0.1", port), self)
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        Thread(target=self.messenger.run, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}"

    def stop(self) -> None:
        self.faults.ending.set()
        self.messenger.ending.set()
        self.messenger.wake.set()
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()

    def run(self, port: int) -> None:
        """As a program, until SIGTERM or Ctrl-C."""
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        print(f"The stand-in for Stripe listens at {self.start(port)}", flush=True)
        try:
            self.messenger.ending.wait()
        except KeyboardInterrupt:
            pass
        finally:
            self.stop()

    def reply(self, call: Call) -> Reply | None:
        """What is answered; None is a line that was cut."""
        line, fault = self.api.note(call), self.faults.take(f"{call.method} {call.path}")
        line.fault = f"{fault.what} {fault.when}" if fault else ""
        if fault and fault.when == "before" and fault.what != "slow":
            return self._break(fault)
        reply = self.api.answer(call, lambda: self._hold(fault, "before"))
        self.messenger.wake.set()
        if fault and fault.when == "after" and fault.what != "slow":
            return self._spoil(call, fault)
        self._hold(fault, "after")
        line.status, line.replayed = reply.status, "Idempotent-Replayed" in reply.headers
        return reply

    def _hold(self, fault: Fault | None, when: str) -> None:
        if fault and fault.what == "slow" and fault.when == when:
            self.faults.wait(fault)

    def _break(self, fault: Fault) -> Reply | None:
        if fault.what == "timeout":
            self.faults.wait(fault)
        return fault.reply

    def _spoil(self, call: Call, fault: Fault) -> Reply | None:
        """It was executed; the answer does not tell."""
        instead = self._break(fault)
        if instead is not None and instead.status >= 500:
            self.api.spoil(call, instead)
        return instead


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], stand_in: StandIn) -> None:
        super().__init__(address, Handler)
        self.stand_in = stand_in


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet: two would wait for each other
    server: Server

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_DELETE = do_GET  # noqa: N815

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if parts.path.startswith("/_control/"):
            return self._send(self._control(parts.path.removeprefix("/_control/"), body))
        if parts.path == "/":
            return self._send(Reply(200, {"about": "a stand-in for Stripe; it listens under /v1/ and /_control/"}))
        params = read_form(body or parts.query)
        reply = self.server.stand_in.reply(Call(self.command, parts.path, params, dict(self.headers.items())))
        return self._cut() if reply is None else self._send(reply)

    def _control(self, name: str, body: str) -> Reply:
        try:
            given: Thing = json.loads(body) if body else {}
            return Reply(200, self.server.stand_in.control.answer(self.command, name, given))
        except KeyError as error:
            return Reply(404, {"error": f"there is no {error}"})
        except (TypeError, ValueError) as error:
            return Reply(400, {"error": str(error)})
        except Problem as problem:
            return Reply(problem.status, problem.body)

    def _send(self, reply: Reply) -> None:
        raw = (reply.body if isinstance(reply.body, str) else json.dumps(reply.body)).encode()
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _cut(self) -> None:
        self.close_connection = True

    def log_message(self, format: str, *arguments: Any) -> None:
        """The request log is in /_control/requests."""
