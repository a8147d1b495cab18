#!/bin/bash
# `opensearch -Ename=value ...`; settings may stand in variables too, as with the official image.
[ "$1" = opensearch ] && shift
settings=()
while IFS='=' read -r -d '' name value; do
  case $name in [a-z]*.*) settings+=("-E$name=$value") ;; esac
done < <(env -0)
home=/usr/share/opensearch
archive=$home/classes.jsa
shared=()
[ -s "$archive" ] && shared=("-XX:SharedArchiveFile=$archive" -Xlog:disable -Xlog:all=error:stderr)
jars=
for jar in "$home"/lib/*.jar; do jars="${jars:+$jars:}$jar"; done
# shellcheck disable=SC2086 -- the variable holds several words
exec java ${OPENSEARCH_JAVA_OPTS:--Xmx256m} -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
  "${shared[@]}" $STACKPROOF_ARCHIVING -Dlog4j2.disable.jmx=true -cp "$jars" Launcher \
  "-Epath.home=$home" "${settings[@]}" "$@"
