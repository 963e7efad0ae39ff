"""Programs around the core; never shipped to workers."""
