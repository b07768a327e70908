"""The worker's door."""
