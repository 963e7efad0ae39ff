"""What a user would write instead: each file is a program of its own, started by `peers`."""
