#!/bin/sh
# Starts the image for whoever calls it. Beam's runners pass flags alone (--id=... or
# --worker_pool), which are for Beam's boot. People begin with a word: `run --config 1pct`
# is `python -m beam_pipeline.run --config 1pct`.
set -eu

[ $# -gt 0 ] || set -- run --help
case $1 in
  # Dataflow starts workers so, and gives them directories that only root may write.
  --id*) exec /opt/apache/beam/boot "$@" ;;
  -*) set -- /opt/apache/beam/boot "$@" ;;
  *)
    module=beam_pipeline.$1
    shift
    set -- python -m "$module" "$@"
    ;;
esac

if [ "$(id -u)" = 0 ]; then
  exec setpriv --reuid=beam --regid=beam --clear-groups "$@"
fi
exec "$@"
