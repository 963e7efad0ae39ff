"""The engine of `./stormwatch run`: start, publish, watch, drain, report, stop."""
