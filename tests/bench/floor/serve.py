"""`python -m tests.bench.floor.serve --port N`: the floor, on the very server that serves the portal."""

import argparse
import os

from portal import config, serving
from tests.bench import floor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    url = os.environ["DATABASE_URL"]
    app = floor.create_app(url)
    app.config["SETTINGS"] = config.read()
    serving.serve(app, "127.0.0.1", parser.parse_args().port, processes=serving.processes_here())


if __name__ == "__main__":
    main()
