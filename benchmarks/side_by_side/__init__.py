"""What `bench peers` is made of: who takes part, how they are run, measured and shown."""
