from tests.shops import shops  # noqa: F401  fixtures
from tests.standin import shop, stand_in, stripe  # noqa: F401  fixtures
