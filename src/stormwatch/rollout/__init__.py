"""Versions of rules and models that are changed while records flow.

`changes` is what the registry keeps and the control topic announces; `arms` decides with several
versions at once; `folder` packs a model's folder into one artefact. Who follows the changes in a
running task: `stormwatch.adapters.threads.follower`.
"""
