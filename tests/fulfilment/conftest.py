from tests.couriers import easypost, selling  # noqa: F401
