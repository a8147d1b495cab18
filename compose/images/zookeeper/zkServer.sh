#!/bin/sh
# `zkServer.sh start-foreground CONFIGURATION`, as the official image has it.
exec java "-Xmx${ZK_SERVER_HEAP:-1000}m" $SERVER_JVMFLAGS \
  -Dorg.slf4j.simpleLogger.defaultLogLevel=info -Dorg.slf4j.simpleLogger.showDateTime=true \
  -cp '/opt/zookeeper/lib/*' org.apache.zookeeper.server.quorum.QuorumPeerMain "$2"
