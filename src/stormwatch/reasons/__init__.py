"""Why: what each feature, sensor or rule adds to a score, in sentences of one catalogue."""
