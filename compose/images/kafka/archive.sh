#!/bin/bash
# Class archives (AppCDS) for quick starts, under the names that the official image has them.
set -e
flags='-Xlog:disable -Xlog:all=error:stderr -XX:+UseSerialGC -XX:TieredStopAtLevel=1'
place=$(mktemp -d)
cat > "$place/properties" <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:9093
listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093
controller.listener.names=CONTROLLER
log.dirs=$place/data
END
class=/opt/kafka/bin/kafka-run-class.sh
export KAFKA_JVM_PERFORMANCE_OPTS="$flags -XX:ArchiveClassesAtExit=/opt/kafka/storage.jsa"
$class kafka.tools.StorageTool format -t c3RhY2twcm9vZi1hbG9uZQ -c "$place/properties"
export KAFKA_JVM_PERFORMANCE_OPTS="$flags -XX:ArchiveClassesAtExit=/opt/kafka/kafka.jsa"
$class kafka.Kafka "$place/properties" &
broker=$!
for ((tries = 0; tries < 600; tries++)); do
  (exec 3<>/dev/tcp/127.0.0.1/9092) 2>/dev/null && break
  kill -0 $broker || exit 1
  sleep 0.2
done
kill -TERM $broker
wait $broker || true  # 143: ended by SIGTERM, as asked
rm -r "$place"
test -s /opt/kafka/kafka.jsa -a -s /opt/kafka/storage.jsa
