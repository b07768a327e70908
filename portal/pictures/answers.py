"""A picture as an answer: as a file, never as a page, whatever opens it (ASVS 3.2.1)."""

from flask import Response

from portal.pictures.models import Picture

ALONE = "default-src 'none'; sandbox"


def jpeg(picture: Picture, *, small: bool = False) -> Response:
    """The picture, or its thumbnail; the name is ours."""
    headers = {
        "Content-Disposition": f'attachment; filename="{picture.name}"',
        "Content-Security-Policy": ALONE,
    }
    return Response(picture.thumbnail if small else picture.content, mimetype="image/jpeg", headers=headers)
