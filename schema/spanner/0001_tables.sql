-- The tables of schema/cql on Google Spanner: the same columns, but one row an entity and key, with
-- the stamp that decides which of two writes stands in a column of its own. Times are milliseconds
-- since the Unix epoch, UTC; `ktime` is Kafka's time of the record. Rows are deleted by Spanner
-- after `expires`, which the writer takes from the settings.

CREATE TABLE IF NOT EXISTS layout (
    name STRING(MAX) NOT NULL, -- 'layout'
    stripes INT64 NOT NULL
) PRIMARY KEY (name);

CREATE TABLE IF NOT EXISTS decisions (
    domain STRING(MAX) NOT NULL,
    stripe INT64 NOT NULL,
    entity STRING(MAX) NOT NULL,
    time INT64 NOT NULL, -- event time
    id STRING(MAX) NOT NULL,
    outcome STRING(MAX) NOT NULL,
    score FLOAT64 NOT NULL,
    body BYTES(MAX) NOT NULL, -- JSON of a Decision
    ktime INT64 NOT NULL,
    alerted INT64, -- ktime of an alert, else nothing: the index below holds alerts alone
    stamp INT64 NOT NULL,
    expires TIMESTAMP NOT NULL
) PRIMARY KEY (domain, stripe, entity, time DESC, id DESC),
  ROW DELETION POLICY (OLDER_THAN(expires, INTERVAL 0 DAY));

CREATE NULL_FILTERED INDEX IF NOT EXISTS decisions_alerted ON decisions (domain, alerted DESC, entity, id);

-- Which decisions there are, by Kafka's time: of each work on a micro-batch a row for each second.
CREATE TABLE IF NOT EXISTS decided (
    domain STRING(MAX) NOT NULL,
    slot INT64 NOT NULL, -- ktime // 1,000
    topic STRING(MAX) NOT NULL,
    `partition` INT64 NOT NULL,
    epoch INT64 NOT NULL,
    first INT64 NOT NULL,
    last INT64 NOT NULL,
    part STRING(MAX) NOT NULL,
    generation INT64 NOT NULL,
    attempt INT64 NOT NULL,
    body BYTES(MAX) NOT NULL, -- msgpack of stormwatch.state.decided.Entry
    expires TIMESTAMP NOT NULL
) PRIMARY KEY (domain, slot DESC, topic, `partition`, epoch, first, last, part, generation, attempt),
  ROW DELETION POLICY (OLDER_THAN(expires, INTERVAL 0 DAY));

CREATE TABLE IF NOT EXISTS states (
    domain STRING(MAX) NOT NULL,
    stripe INT64 NOT NULL,
    entity STRING(MAX) NOT NULL,
    state BYTES(MAX) NOT NULL,
    stamp INT64 NOT NULL,
    expires TIMESTAMP NOT NULL
) PRIMARY KEY (domain, stripe, entity), ROW DELETION POLICY (OLDER_THAN(expires, INTERVAL 0 DAY));

CREATE TABLE IF NOT EXISTS dead_letters (
    domain STRING(MAX) NOT NULL,
    topic STRING(MAX) NOT NULL,
    `partition` INT64 NOT NULL,
    epoch INT64 NOT NULL,
    `offset` INT64 NOT NULL,
    state STRING(MAX) NOT NULL,
    ktime INT64 NOT NULL,
    code STRING(MAX) NOT NULL,
    reason STRING(MAX) NOT NULL,
    component STRING(MAX) NOT NULL,
    key BYTES(MAX),
    raw BYTES(MAX),
    stamp INT64 NOT NULL,
    expires TIMESTAMP NOT NULL
) PRIMARY KEY (domain, topic, `partition`, epoch, `offset`, state),
  ROW DELETION POLICY (OLDER_THAN(expires, INTERVAL 0 DAY));

CREATE INDEX IF NOT EXISTS dead_letters_by_time ON dead_letters (domain, ktime DESC);

CREATE TABLE IF NOT EXISTS ledger (
    topic STRING(MAX) NOT NULL,
    `partition` INT64 NOT NULL,
    epoch INT64 NOT NULL,
    first INT64 NOT NULL,
    last INT64 NOT NULL,
    part STRING(MAX) NOT NULL,
    generation INT64 NOT NULL,
    attempt INT64 NOT NULL,
    bitmaps BYTES(MAX) NOT NULL, -- msgpack: end state -> offsets from `first`, least significant bit first
    age INT64 NOT NULL,
    fingerprint BYTES(MAX), -- msgpack: [offset, ktime, checksum]
    expires TIMESTAMP NOT NULL
) PRIMARY KEY (topic, `partition`, epoch, first, last, part, generation, attempt),
  ROW DELETION POLICY (OLDER_THAN(expires, INTERVAL 0 DAY));

CREATE TABLE IF NOT EXISTS ledger_starts (
    topic STRING(MAX) NOT NULL,
    `partition` INT64 NOT NULL,
    epoch INT64 NOT NULL,
    first INT64 NOT NULL,
    expires TIMESTAMP NOT NULL
) PRIMARY KEY (topic, `partition`, epoch, first),
  ROW DELETION POLICY (OLDER_THAN(expires, INTERVAL 0 DAY));

CREATE TABLE IF NOT EXISTS meters (
    topology STRING(MAX) NOT NULL,
    component STRING(MAX) NOT NULL,
    instance STRING(MAX) NOT NULL,
    body BYTES(MAX) NOT NULL,
    expires TIMESTAMP NOT NULL
) PRIMARY KEY (topology, component, instance),
  ROW DELETION POLICY (OLDER_THAN(expires, INTERVAL 0 DAY));

CREATE TABLE IF NOT EXISTS letter_acts (
    domain STRING(MAX) NOT NULL,
    topic STRING(MAX) NOT NULL,
    `partition` INT64 NOT NULL,
    epoch INT64 NOT NULL,
    `offset` INT64 NOT NULL,
    `at` INT64 NOT NULL,
    act STRING(MAX) NOT NULL,
    who STRING(MAX) NOT NULL,
    note STRING(MAX) NOT NULL,
    to_partition INT64 NOT NULL,
    to_offset INT64 NOT NULL,
    expires TIMESTAMP NOT NULL
) PRIMARY KEY (domain, topic, `partition`, epoch, `offset`, `at`, act),
  ROW DELETION POLICY (OLDER_THAN(expires, INTERVAL 0 DAY));

-- The last term given to processes of a domain.
CREATE TABLE IF NOT EXISTS terms (
    domain STRING(MAX) NOT NULL,
    term INT64 NOT NULL
) PRIMARY KEY (domain);

CREATE TABLE IF NOT EXISTS logs (
    incarnation INT64 NOT NULL,
    stream STRING(MAX) NOT NULL,
    log STRING(MAX) NOT NULL,
    nth INT64 NOT NULL
) PRIMARY KEY (incarnation, stream);

CREATE TABLE IF NOT EXISTS log_sizes (
    log STRING(MAX) NOT NULL,
    partitions INT64 NOT NULL,
    resizes INT64 NOT NULL
) PRIMARY KEY (log);

CREATE TABLE IF NOT EXISTS log_stretches (
    log STRING(MAX) NOT NULL,
    `partition` INT64 NOT NULL,
    incarnation INT64 NOT NULL,
    nth INT64,
    first INT64,
    skipped INT64,
    believed_to INT64,
    decided_to INT64,
    generation INT64,
    position INT64,
    fingerprints BYTES(MAX) -- msgpack: [[offset, ktime, checksum], ...]
) PRIMARY KEY (log, `partition`, incarnation);

CREATE TABLE IF NOT EXISTS log_cursors (
    log STRING(MAX) NOT NULL,
    reader STRING(MAX) NOT NULL,
    `partition` INT64 NOT NULL,
    `offset` INT64 NOT NULL,
    metadata STRING(MAX) NOT NULL,
    sequence STRING(MAX) NOT NULL,
    ended INT64
) PRIMARY KEY (log, reader, `partition`);

CREATE TABLE IF NOT EXISTS log_anchors (
    log STRING(MAX) NOT NULL,
    `partition` INT64 NOT NULL,
    `offset` INT64 NOT NULL,
    sequence STRING(MAX) NOT NULL
) PRIMARY KEY (log, `partition`, `offset`);

CREATE TABLE IF NOT EXISTS alert_work (
    domain STRING(MAX) NOT NULL,
    entity STRING(MAX) NOT NULL,
    time INT64 NOT NULL,
    id STRING(MAX) NOT NULL,
    version INT64 NOT NULL,
    body BYTES(MAX) NOT NULL, -- JSON of a Work
    expires TIMESTAMP NOT NULL
) PRIMARY KEY (domain, entity, time, id), ROW DELETION POLICY (OLDER_THAN(expires, INTERVAL 0 DAY));

CREATE TABLE IF NOT EXISTS audit (
    day INT64 NOT NULL,
    `at` INT64 NOT NULL,
    nonce STRING(MAX) NOT NULL,
    who STRING(MAX) NOT NULL,
    role STRING(MAX) NOT NULL,
    origin STRING(MAX) NOT NULL,
    act STRING(MAX) NOT NULL,
    target STRING(MAX) NOT NULL,
    detail STRING(MAX) NOT NULL,
    outcome STRING(MAX) NOT NULL
) PRIMARY KEY (day, `at` DESC, nonce);

CREATE TABLE IF NOT EXISTS tokens (
    name STRING(MAX) NOT NULL,
    sha256 BYTES(MAX) NOT NULL, -- of the token
    role STRING(MAX) NOT NULL,
    created INT64 NOT NULL,
    expires INT64 NOT NULL,
    revoked INT64 NOT NULL -- 0: it is not
) PRIMARY KEY (name);

CREATE TABLE IF NOT EXISTS rollout_changes (
    domain STRING(MAX) NOT NULL,
    kind STRING(MAX) NOT NULL, -- 'rules', 'model'
    revision INT64 NOT NULL,
    body BYTES(MAX) NOT NULL -- JSON of a Change
) PRIMARY KEY (domain, kind, revision DESC);

CREATE TABLE IF NOT EXISTS rollout_artefacts (
    sha256 STRING(MAX) NOT NULL,
    piece INT64 NOT NULL,
    pieces INT64 NOT NULL,
    data BYTES(MAX) NOT NULL
) PRIMARY KEY (sha256, piece);
