"""The shop that `make run` opens, and the stand-ins for the world around it."""
