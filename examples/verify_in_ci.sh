#!/bin/sh
# Verification in CI: export a checkpoint, then compare every weight with it, and the answers of the engine
# that production uses with those of the reference in f64. The exit code is 1 if anything differs.
#
#     examples/verify_in_ci.sh models/nezha-tiny-zh-sentiment out openvino:cpu
#
# As a step of a GitHub workflow, after `nezha setup --openvino`:
#
#     - run: examples/verify_in_ci.sh my-checkpoint out openvino:cpu
#     - uses: actions/upload-artifact@v4
#       with: { name: model, path: out }
set -eu
checkpoint=$1
out=$2
engines=$3
nezha export "$checkpoint" -o "$out" --force
nezha verify "$out/model.onnx" "$checkpoint" --engines "$engines"
