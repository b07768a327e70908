"""What the outside world can do to us. Every adapter raises one of these and nothing else."""


class Temporary(Exception):
    """It did not happen and may work later: try again."""


class Permanent(Exception):
    """It did not happen and never will as it stands."""


class Unknown(Exception):
    """It may or may not have happened: look before trying again."""


class Malformed(Exception):
    """What came in is nothing that the other side sends."""
