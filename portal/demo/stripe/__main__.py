"""`python -m portal.demo.stripe`: run the stand-in until told to end."""

import argparse
from pathlib import Path

from portal.demo.stripe import StandIn


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m portal.demo.stripe", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True, help="the file that keeps what happened")
    parser.add_argument("--webhook", default="", help="where events are posted; nowhere when left out")
    parser.add_argument("--secret", default="", help="whsec_…, which signs them")
    given = parser.parse_args()
    StandIn(given.state, given.webhook, given.secret).run(given.port)


if __name__ == "__main__":
    main()
