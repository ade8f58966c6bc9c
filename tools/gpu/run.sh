#!/usr/bin/env bash
# Runs on the GPU machine, from the unpacked bundle: probe, tests, benchmarks, real pretrainings, the peers. Everything is written to RESULTS.
#
#   spk-gpu/run.sh [RESULTS]
#
# Ends with 0 only if the tests passed and the pretraining finished.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
results=$(mkdir -p "${1:-gpu-results}" && cd "${1:-gpu-results}" && pwd)
cd "$here"
export SPK_TEST_GPU=1 DOTNET_BUNDLE_EXTRACT_BASE_DIR="$results/extracted" SPK_GOLDEN="$here/golden"
status=0

step() { printf '\n== %s\n' "$1" | tee -a "$results/log.txt"; }

step "machine"
{ nvidia-smi; ./spk-gpu doctor; } > "$results/machine.txt" 2>&1
cat "$results/machine.txt"

step "tests on the GPU"
./spk-gpu tests "cuda, GPU" > "$results/tests.txt" 2>&1 || status=1
tail -n 1 "$results/tests.txt"

if command -v compute-sanitizer > /dev/null; then
  for tool in memcheck racecheck; do
    step "compute-sanitizer $tool over small shapes"
    compute-sanitizer --tool "$tool" --error-exitcode 1 ./spk-gpu tests ParityTests > "$results/$tool.txt" 2>&1 || status=1
    tail -n 2 "$results/$tool.txt"
  done
fi

step "kernels and training steps"
./spk-gpu bench --device cuda --budget 0.5 --rounds 1 --save "$results/bench.json" > "$results/bench.txt" 2>&1 || status=1
grep -c median_s "$results/bench.json"

step "cost by size"
./spk-gpu bench scaling --device cuda --budget 0.2 --save "$results/scaling.json" --report "$results/scaling.html" > "$results/scaling.txt" 2>&1 || status=1
tail -n 3 "$results/scaling.txt"

pretrain() { # name, further settings and options
  local name=$1
  shift
  ./spk-gpu pretrain recipes/openvoices-simclr.yaml --device cuda --out "$results/$name" \
    --set data.root=speech --set data.pack=train.spkpack --set data.augmentation.noise= --set data.augmentation.rir= --set evaluation.everyEpochs=0 \
    --set training.batch=32 "$@" > "$results/$name.txt" 2>&1 || status=1
  tail -n 2 "$results/$name.txt"
}

if [[ -d speech ]]; then
  for precision in fp32 tf32 bf16; do
    step "pretraining on real speech, $precision"
    pretrain "pretrain-$precision" --set training.epochs=60 --set "training.precision=$precision"
  done

  # Not recorded, and with a wait at every boundary: what the recording saves is the difference in utterances/s.
  step "where the time of a step goes, bf16"
  pretrain profile-bf16 --set training.epochs=10 --set training.precision=bf16 --profile
fi

if [[ -d peers ]] && python3 -c 'import torch; assert torch.cuda.is_available()' 2> /dev/null; then
  step "peers (PyTorch)"
  python3 peers/gpu_peers.py --no-compile --budget 0.5 --rounds 1 --save "$results/gpu_peers.json" > "$results/gpu_peers.txt" 2>&1
  tail -n 3 "$results/gpu_peers.txt"
  step "peers (PyTorch, compiled)"
  python3 peers/gpu_peers.py --only xvector_train,ecapa_c512_train --budget 0.5 --rounds 1 --save "$results/gpu_peers_compiled.json" > "$results/gpu_peers_compiled.txt" 2>&1
  tail -n 3 "$results/gpu_peers_compiled.txt"
fi

rm -rf "$results/extracted"
step "$([[ $status == 0 ]] && echo "all passed" || echo "something failed: see $results")"
exit $status
