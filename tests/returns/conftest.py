"""The returns desk."""

import pytest
from flask.testing import FlaskClient

from tests.returns.hands import delivered
from tests.world import World, sign_in


@pytest.fixture
def desk(client: FlaskClient, world: World) -> FlaskClient:
    """Rita sits at the returns desk; Alice's parcel arrived."""
    delivered(world, world.alice)
    return sign_in(client, world.rita)
