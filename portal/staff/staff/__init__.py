"""The desk's doors for people: sign-in, the second factor, one's own keys, everybody else."""
