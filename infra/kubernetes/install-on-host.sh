#!/bin/sh
# What the pod of the DaemonSet does: brings the release to its host, and runs its "install" there.
set -eu
host=${HOST:-/host} release=${RELEASE:-/release} given=${GIVEN:-/node}
incoming=/opt/portcullis/incoming

mkdir -p "$host/opt/portcullis"
rm -rf "$host$incoming"
cp -R "$release" "$host$incoming"
mkdir "$host$incoming/given"
for name in verdict.pub cluster.list shim.env; do
  if [ -f "$given/$name" ]; then cp -L "$given/$name" "$host$incoming/given/$name"; fi
done
chroot "$host" "$incoming/portcullis" install \
  --verdict-keys "$incoming/given/verdict.pub" --env "$incoming/given/shim.env" --bootstrap "$incoming/given/cluster.list"
rm -rf "$host$incoming"
