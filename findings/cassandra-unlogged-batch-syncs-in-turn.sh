#!/usr/bin/env bash
# Cassandra 5.0.9 with `commitlog_sync: group`: an UNLOGGED batch over several partitions waits for
# the commit log again and again.
#
# Expected: one request, so one wait: its mutations are written and share the next sync.
# Seen: with a group window of 50 ms one row takes 50 ms, and a batch of rows in 8, 16, 32 and 64
# partitions 140, 290, 690 and 1,500 ms: a wait for every two partitions. The same rows as so many
# requests at once share syncs: 54, 56, 70 and 150 ms. With `periodic`, the default, nobody waits, and
# the batch is the cheaper way.
# Around it: where the commit log is synced before an answer, few partitions share a request.
#
# Needs mvn, java (17 to 23) and Python 3.11 or newer. Exit code 0: as described; 1: otherwise now.
set -euo pipefail

folder=$(mktemp -d)
pid=
trap '[[ -z $pid ]] || { kill "$pid" 2>/dev/null; wait "$pid" 2>/dev/null; } || true; rm -rf "$folder"' EXIT
version=5.0.9
cd "$folder"
cat >pom.xml <<XML
<project><modelVersion>4.0.0</modelVersion><groupId>f</groupId><artifactId>f</artifactId><version>1</version>
<dependencies><dependency><groupId>org.apache.cassandra</groupId><artifactId>cassandra-all</artifactId>
<version>$version</version></dependency></dependencies></project>
XML
mvn -q -B -Dstyle.color=never org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$folder/jars"
python3 -m venv venv
venv/bin/pip -q install cassandra-driver==3.30.1
read -r native storage < <(venv/bin/python -c '
import socket
taken = [socket.socket() for _ in range(2)]
for one in taken: one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in taken))')

cat >cassandra.yaml <<YAML
cluster_name: finding
num_tokens: 1
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
endpoint_snitch: SimpleSnitch
listen_address: 127.0.0.1
rpc_address: 127.0.0.1
storage_port: $storage
native_transport_port: $native
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters: [{seeds: "127.0.0.1:$storage"}]
commitlog_sync: group
commitlog_sync_group_window: 50ms
concurrent_writes: 32
data_file_directories: [$folder/data]
commitlog_directory: $folder/commitlog
saved_caches_directory: $folder/caches
hints_directory: $folder/hints
YAML
cat >options <<'JAVA'
-Xms512m -Xmx512m
-Djdk.attach.allowAttachSelf=true -Dio.netty.tryReflectionSetAccessible=true
-Djava.security.manager=allow
--add-exports=java.base/jdk.internal.misc=ALL-UNNAMED
--add-exports=java.base/java.lang.ref=ALL-UNNAMED
--add-exports=java.management.rmi/com.sun.jmx.remote.internal.rmi=ALL-UNNAMED
--add-exports=java.rmi/sun.rmi.registry=ALL-UNNAMED
--add-exports=java.rmi/sun.rmi.server=ALL-UNNAMED
--add-exports=java.sql/java.sql=ALL-UNNAMED
--add-exports=jdk.unsupported/sun.misc=ALL-UNNAMED
--add-opens=java.base/jdk.internal.loader=ALL-UNNAMED
--add-opens=java.base/jdk.internal.ref=ALL-UNNAMED
--add-opens=java.base/jdk.internal.reflect=ALL-UNNAMED
--add-opens=java.base/jdk.internal.math=ALL-UNNAMED
--add-opens=java.base/jdk.internal.module=ALL-UNNAMED
--add-opens=java.base/jdk.internal.util.jar=ALL-UNNAMED
--add-opens=java.base/sun.nio.ch=ALL-UNNAMED
--add-opens=java.base/java.io=ALL-UNNAMED
--add-opens=java.base/java.util=ALL-UNNAMED
--add-opens=java.base/java.lang=ALL-UNNAMED
--add-opens=java.base/java.lang.module=ALL-UNNAMED
--add-opens=java.base/java.lang.reflect=ALL-UNNAMED
--add-opens=jdk.management/com.sun.management.internal=ALL-UNNAMED
JAVA
java @options -cp "$folder/jars/*" -Dcassandra.config="file://$folder/cassandra.yaml" \
    -Dcassandra.storagedir="$folder" -Dcassandra-foreground=yes \
    org.apache.cassandra.service.CassandraDaemon >log 2>&1 &
pid=$!

cat >measure.py <<'PY'
import sys
import time
from statistics import median

from cassandra.cluster import Cluster
from cassandra.query import BatchStatement, BatchType

until = time.monotonic() + 120
while True:
    try:
        session = Cluster(["127.0.0.1"], port=int(sys.argv[1])).connect()
        break
    except Exception:
        if time.monotonic() > until:
            raise
        time.sleep(1)
session.execute(
    "CREATE KEYSPACE f WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
)
session.execute("CREATE TABLE f.t (k int PRIMARY KEY, v text)")
insert = session.prepare("INSERT INTO f.t (k, v) VALUES (?, ?)")


def together():
    batch = BatchStatement(BatchType.UNLOGGED)
    for k in range(32):
        batch.add(insert, (k, "v"))
    session.execute(batch)


def apart():
    for future in [session.execute_async(insert, (k, "v")) for k in range(32)]:
        future.result()


took = {together: [], apart: []}
for nth in range(25):
    for way in (together, apart):
        began = time.perf_counter()
        way()
        if nth >= 5:
            took[way].append((time.perf_counter() - began) * 1000)
batch, requests = median(took[together]), median(took[apart])
print(f"one batch of 32 partitions {batch:.0f} ms, 32 requests at once {requests:.0f} ms")
session.cluster.shutdown()
sys.exit(0 if batch > 3 * requests else 1)
PY
echo "cassandra-all $version, commitlog_sync: group, window 50 ms"
venv/bin/python measure.py "$native" || { tail -3 log; exit 1; }
echo "as described: the batch waits again and again, the requests share syncs"
