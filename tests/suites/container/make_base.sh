#!/usr/bin/env bash
# Makes a stand-in for apache/beam_python3.11_sdk:2.77.0 in podman's storage, without a
# registry of images: Debian by debootstrap, Beam's boot and list of packages from its
# Go module, the packages from the package index. The Dockerfile then builds on it
# unchanged.
#
#   make_base.sh DIRECTORY    storage, settings and intermediate files go there
#
# Needs root, podman, runc, debootstrap, and go on PATH. As long as DIRECTORY stays, a
# second run finds every step done.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
directory=$(cd "$1" && pwd)
module=github.com/apache/beam/sdks/v2
version=v2.77.0

# Podman as it works without systemd and inside a sandbox: runc sets up containers where
# cgroups are of both versions, and limits are not raised.
cat > "$directory/containers.conf" <<CONF
[containers]
default_ulimits = ["nofile=8192:8192", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
CONF
cat > "$directory/storage.conf" <<CONF
[storage]
driver = "${STORAGE_DRIVER:-overlay}"
graphroot = "$directory/storage"
runroot = "$directory/run"
CONF
export CONTAINERS_CONF="$directory/containers.conf"
export CONTAINERS_STORAGE_CONF="$directory/storage.conf"

# A build reaches the package index with the settings that pip has here.
{
  echo "[global]"
  pip config list | sed -nE "s/^(global|:env:)\.(cert|index-url|proxy|trusted-host)='(.*)'$/\2 = \3/p" | sort -u
} > "$directory/pip.conf"

make_boot() {
  export GOBIN="$directory/go/bin" GOPATH="$directory/go" GOFLAGS=-modcacherw
  export GOTOOLCHAIN=local CGO_ENABLED=0
  go install "$module/python/container@$version"
  mkdir -p "$directory/context"
  cp "$GOBIN/container" "$directory/context/boot"
  cp "$GOPATH/pkg/mod/$module@$version/python/container/py311/base_image_requirements.txt" \
    "$directory/context"
}

make_debian() {
  podman image exists localhost/bookworm && return
  rm -rf "$directory/rootfs"
  debootstrap --variant=minbase --include=ca-certificates,python3-venv \
    bookworm "$directory/rootfs" > "$directory/debootstrap.log"
  tar --create --file - --directory "$directory/rootfs" . |
    podman import --quiet - localhost/bookworm
  rm -rf "$directory/rootfs"
}

make_boot & boot=$!
make_debian
wait "$boot"
podman build --quiet --isolation chroot --format docker --pull-never \
  --volume /etc/ssl/certs/ca-certificates.crt:/etc/ssl/certs/ca-certificates.crt:ro \
  --volume "$directory/pip.conf:/etc/pip.conf:ro" \
  --tag docker.io/apache/beam_python3.11_sdk:2.77.0 \
  --file "$here/base.Dockerfile" "$directory/context"
