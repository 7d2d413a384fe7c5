#!/bin/sh
# Starts Redis with the users of users.acl and the passwords of the environment, which go into a file in memory.
#
#     start.sh FOLDER_WITH_CONF_AND_ACL FOLDER_IN_MEMORY DATA_FOLDER PORT
set -eu
umask 077

sed -e "s/@ORCHESTRATOR@/${REDIS_ORCHESTRATOR_PASSWORD:?}/" \
    -e "s/@WORKER@/${REDIS_WORKER_PASSWORD:?}/" \
    -e "s/@FLOWER@/${REDIS_FLOWER_PASSWORD:?}/" "$1/users.acl" > "$2/users.acl"

exec redis-server "$1/redis.conf" --aclfile "$2/users.acl" --dir "$3" --port "$4"
