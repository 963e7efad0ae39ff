"""What comes in by hand: files of events, read and published."""
