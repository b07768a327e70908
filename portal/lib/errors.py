"""The one exception for "no"."""


class Refused(Exception):
    """What was asked for is not allowed, or somebody else was quicker.

    The message is for the reader, already in the reader's language; the web answers 409 with it and nothing is written.
    """

    @property
    def message(self) -> str:
        return str(self.args[0])
