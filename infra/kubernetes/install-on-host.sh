#!/bin/sh
# What the pod of the DaemonSet does: brings the release to its host, and runs its "install" there.
set -eu
host=${HOST:-/host} release=${RELEASE:-/release} given=${GIVEN:-/node}
incoming=/opt/portcullis/incoming

(umask 022 && mkdir -p "$host/opt/portcullis")
# The environment may hold an API key: what is brought is root's alone, and goes however the installation ends.
umask 077
trap 'rm -rf "$host$incoming"' EXIT
trap 'exit 143' HUP INT TERM
rm -rf "$host$incoming"
cp -R "$release" "$host$incoming"
chmod 700 "$host$incoming"
mkdir "$host$incoming/given"
for name in verdict.pub cluster.list shim.env; do
  if [ -f "$given/$name" ]; then
    cp -L "$given/$name" "$host$incoming/given/$name"
    chmod 600 "$host$incoming/given/$name"
  fi
done
chroot "$host" "$incoming/portcullis" install \
  --verdict-keys "$incoming/given/verdict.pub" --env "$incoming/given/shim.env" --bootstrap "$incoming/given/cluster.list"
