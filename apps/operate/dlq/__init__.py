"""Set-aside records: found, shown, sent again, or discarded. What was done is kept."""
