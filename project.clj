;; The one place for the versions of Storm, Kafka, Cassandra and Flink's Kafka connector.
(defproject stormwatch "0.1.0"
  :source-paths [] ; else src/ is in the jar twice
  :resource-paths ["_resources"] ; streamparse copies src/ to _resources/resources
  :target-path "_build"
  :dependencies [[org.apache.storm/storm-core "2.8.3"]
                 [org.apache.storm/flux-core "2.4.0"]]
  :managed-dependencies [[org.apache.storm/storm-clojure "2.8.3"
                          :exclusions [org.clojars.bipinprasad/carbonite]]] ; published on Clojars only
  :profiles {:base {} ; else nrepl is fetched from Clojars
             :uberjar {:dependencies ^:replace []} ; Storm is on the class path already: a thin jar in 2 s
             :worker {:dependencies ^:replace [[org.apache.storm/storm-client "2.8.3"]]}
             :kafka {:dependencies ^:replace [[org.apache.kafka/kafka_2.13 "4.4.0"]
                                              [org.apache.logging.log4j/log4j-slf4j-impl "2.25.3"]]}
             :cassandra {:dependencies ^:replace [[org.apache.cassandra/cassandra-all "5.0.9"]]}
             :flink {:dependencies ^:replace [[org.apache.flink/flink-sql-connector-kafka "5.0.0-2.2"]]}})
