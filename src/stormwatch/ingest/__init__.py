"""Reading the log: where reading goes on, and what is proven of it."""
