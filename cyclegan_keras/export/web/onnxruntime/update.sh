#!/usr/bin/env bash
# Makes the files beside it from the npm package. The runtime is vendored so that a page can be
# exported without a network, and its bytes are those that were reviewed and tested.
#   ./update.sh 1.30.0
# LICENSE and ThirdPartyNotices.txt are those of the Python package onnxruntime, of the same source.
set -euo pipefail
version=$1
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm pack --silent --pack-destination "$work" "onnxruntime-web@$version" > /dev/null
tar -xzf "$work/onnxruntime-web-$version.tgz" -C "$work"
cp "$work/package/dist/ort.wasm.bundle.min.mjs" .
chmod 644 ort.wasm.bundle.min.mjs
# The smallest build for CPUs. Threads are never started, as pages from a disk may not.
gzip -9 --no-name --stdout "$work/package/dist/ort-wasm-simd-threaded.wasm" > ort-wasm-simd-threaded.wasm.gz
echo "$version" > VERSION
sha256sum VERSION LICENSE ThirdPartyNotices.txt ort.wasm.bundle.min.mjs ort-wasm-simd-threaded.wasm.gz > SHA256SUMS
