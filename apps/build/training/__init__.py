"""Training: from data to a model folder. Never shipped to workers."""
