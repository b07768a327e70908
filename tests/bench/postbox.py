"""`python -m tests.bench.postbox PORT`: a mail server that takes every mail and keeps none, with little work.

On the machine that measures it shares the cores with what is measured; a shop's mail server does not.
"""

import asyncio
import sys

ANSWERS = {b"EHLO": b"250 postbox\r\n", b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}
END = b"\r\n.\r\n"


class Postbox(asyncio.Protocol):
    """One line. Whoever says something waits for the answer, as all do without PIPELINING, which is not offered."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.in_mail, self.heard = transport, False, b""
        self.answer(b"220 postbox\r\n")

    def data_received(self, data: bytes) -> None:
        self.heard += data
        if not self.heard.endswith(END if self.in_mail else b"\r\n"):
            return
        verb, self.heard = self.heard[:4].upper(), b""
        self.answer(b"250 ok\r\n" if self.in_mail else ANSWERS.get(verb, b"250 ok\r\n"))
        self.in_mail = not self.in_mail and verb == b"DATA"

    def answer(self, said: bytes) -> None:
        self.transport.write(said)  # type: ignore[attr-defined]


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Postbox, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
