#!/bin/bash
# Runs a class of Kafka's; obeys the same variables as the script of this name in Kafka's
# own distribution, which the jars of a Maven repository come without.
base=$(cd "$(dirname "$0")/.." && pwd)
jars=
for jar in "$base"/libs/*.jar; do jars="${jars:+$jars:}$jar"; done
# shellcheck disable=SC2086 -- the variables hold several words each
exec "${JAVA_HOME:+$JAVA_HOME/bin/}java" ${KAFKA_HEAP_OPTS:--Xmx256m} ${KAFKA_JVM_PERFORMANCE_OPTS:-} \
  ${KAFKA_LOG4J_OPTS:-} ${KAFKA_JMX_OPTS:-} -cp "$jars" ${KAFKA_OPTS:-} "$@"
