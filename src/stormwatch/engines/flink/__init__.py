"""Apache Flink: the same topics, decisions and tables as the topology's (docs/on-flink.md).

`job` is the program that is started, `operator` what runs inside Flink. All that decides is in
`deciding` and knows no Flink.
"""
