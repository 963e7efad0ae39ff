"""Generated events: seeded, endless, with their labels."""
