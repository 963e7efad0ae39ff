"""The `storm` and `sparse` commands of the virtualenv: Storm 2 as jars, run by streamparse."""
