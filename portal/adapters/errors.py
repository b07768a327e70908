"""What the outside world can do to us. Every adapter raises one of these and nothing else."""


class Trouble(Exception):
    """`request_id` is the other side's number for the request, `wait` the seconds it asks us to stay away, if any."""

    request_id = ""

    def __init__(self, message: str = "", *, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


class Temporary(Trouble):
    """It did not happen and may work later: try again."""


class Permanent(Trouble):
    """It did not happen and never will as it stands."""


class Unknown(Trouble):
    """It may or may not have happened: look before trying again."""


class Malformed(Exception):
    """What came in is nothing that the other side sends."""
