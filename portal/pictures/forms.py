"""The part of a form that takes pictures: it reads each file, and keeps what was fine when the rest was not."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.datastructures import FileStorage
from wtforms import MultipleFileField

from portal.lib.errors import Refused
from portal.pictures.actions import Uploader, drop_draft, keep_draft
from portal.pictures.models import Picture, drafts
from portal.pictures.reading import MOST_BYTES, read

ACCEPTED = "image/jpeg,image/png,image/webp"
"""A telephone that keeps HEIC sends JPEG when it is asked for these."""
ONE_REQUEST = 15_000_000
"""Bytes that a form with pictures may send at once."""


class PicturesField(MultipleFileField):
    """Any number of files. `drafts` are the pictures that the form has already; `take_in` fills them."""

    def __init__(self, label: Any = None, validators: Any = None, **kwargs: Any) -> None:
        super().__init__(label or _l("Pictures"), validators or [], render_kw={"accept": ACCEPTED}, **kwargs)
        self.drafts: Sequence[Picture] = ()
        self.refused: list[str] = []

    def process_formdata(self, valuelist: Any) -> None:
        """An empty file is what a browser sends when none was chosen."""
        self.data = [file for file in valuelist if isinstance(file, FileStorage) and file.filename]

    def take_in(self, who: Uploader, *, forget: int | None = None, now: datetime) -> bool:
        """Keep what was sent and is a picture, drop the one to `forget`; whether nothing was refused.

        What is refused stands at the field. The others stay with the form's key and are there when it comes back.
        """
        if forget is not None:
            drop_draft(forget, who)
        self.refused = [said for file in self.data or [] if (said := _taken(file, who, now))]
        self.errors: list[str] = [*self.errors, *self.refused]
        self.drafts = drafts(who.order_id, who.key)
        return not self.refused


def _taken(file: FileStorage, who: Uploader, now: datetime) -> str:
    """Nothing when it was kept, else the sentence that says which file is not, and why."""
    try:
        keep_draft(read(file.stream.read(MOST_BYTES + 1)), who, now=now)
    except Refused as refused:
        return _("%(file)s: %(why)s", file=_called(file), why=refused.message)
    return ""


def _called(file: FileStorage) -> str:
    """The customer's name for the file, as far as it can be shown."""
    name = "".join(char for char in (file.filename or "") if char.isprintable())
    return name[:60] or _("The file")


def takes_pictures(view: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a view whose form takes pictures: its requests may be larger than others."""
    view.most_bytes = ONE_REQUEST  # type: ignore[attr-defined]
    return view
