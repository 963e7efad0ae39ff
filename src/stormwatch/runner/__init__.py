"""A topology run without Java: Storm's side of the multilang protocol, its groupings and acker.

Pure of drivers and of clocks: time comes from a `clock`, chance from a seeded Random. The same
Topology class, spouts and bolts run as under Storm, over the same bytes. docs/runner.md
"""
