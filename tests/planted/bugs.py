"""Bugs that the suite has to see: each as the edits that plant it, and the tests of which one has to turn red."""

from tests.planted import customers, machines, people, returns

PLANTED = (*customers.PLANTED, *people.PLANTED, *machines.PLANTED, *returns.PLANTED)
