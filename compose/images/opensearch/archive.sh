#!/bin/bash
# Class archive (AppCDS) for a quick start: a node runs once, and puts a document.
set -e
home=/usr/share/opensearch
place=$(mktemp -d)
export STACKPROOF_ARCHIVING="-XX:ArchiveClassesAtExit=$home/classes.jsa -Xlog:disable -Xlog:all=error:stderr"
"$home/opensearch-docker-entrypoint.sh" opensearch -Enode.name=server -Enetwork.host=127.0.0.1 \
  -Ediscovery.type=single-node "-Epath.data=$place" &
node=$!
for ((tries = 0; tries < 600; tries++)); do
  curl --fail --silent http://127.0.0.1:9200/_cluster/health > /dev/null && break
  kill -0 $node || exit 1
  sleep 0.5
done
json='content-type: application/json'
curl --fail --silent -X PUT -H "$json" 'http://127.0.0.1:9200/warm-up/_doc/1?refresh=true' -d '{"text": "words"}'
curl --fail --silent 'http://127.0.0.1:9200/warm-up/_search?q=words'
kill -TERM $node
wait $node || true  # 143: ended by SIGTERM, as asked
rm -r "$place"
test -s "$home/classes.jsa"
