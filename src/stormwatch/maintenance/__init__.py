"""Machine readings: what is learned of a unit and how much life it has left."""
