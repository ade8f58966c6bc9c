#!/usr/bin/env bash
# Checks everything that a change must keep: format, build without warnings, tests. Says what was skipped and why.
#
#   ./check.sh                     without the tests of category Slow
#   ./check.sh --slow              with them
#   ./check.sh --require-emulator  fails when a test that needs the CUDA emulator or NVRTC 11.8 was skipped
#   ./check.sh --sanitize          runs one launch or more of every kernel in the emulator under the address and undefined behaviour sanitizers
#   ./check.sh --gpu               fails when a test that needs a GPU was skipped
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

filter="TestCategory!=Slow"
forbid_cuda_skips=false
sanitize=false
for argument in "$@"; do
  case "$argument" in
    --slow) filter="" ;;
    --require-emulator | --gpu) forbid_cuda_skips=true ;;
    --sanitize) sanitize=true ;;
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "check.sh: unknown option '$argument' (see --help)" >&2; exit 2 ;;
  esac
done

step() { printf '\n== %s\n' "$1"; }

step "restore"
dotnet restore Spk.slnx --verbosity quiet

step "format"
dotnet format Spk.slnx --no-restore --verify-no-changes --severity warn

step "build"
dotnet build Spk.slnx --configuration Release --no-restore --verbosity quiet

step "tests${filter:+ ($filter)}"
results=artifacts/test-results
rm -rf "$results"
status=0
dotnet test tests/Spk.Tests.csproj --configuration Release --no-build --results-directory "$results" \
  --logger "trx;LogFileName=tests.trx" --logger "console;verbosity=minimal" ${filter:+--filter "$filter"} || status=$?

trx="$results/tests.trx"
if [[ ! -f "$trx" ]]; then
  echo "check.sh: the test run left no result file" >&2
  exit 1
fi

step "skipped"
# One line per reason: how many tests, and what they said.
reasons=$(awk '
  /<UnitTestResult / { skipped = ($0 ~ /outcome="NotExecuted"/); if (skipped) total++ }
  skipped && /<Message>/ { line = $0; sub(/.*<Message>/, "", line); sub(/<\/Message>.*/, "", line); count[line]++; said++ }
  END { for (r in count) printf "%5d  %s\n", count[r], r; if (total > said) printf "%5d  without a reason\n", total - said }' "$trx")
echo "${reasons:-none}"
if [[ -n "$filter" ]]; then echo "not run: tests of category Slow (./check.sh --slow)"; fi

if $forbid_cuda_skips && awk '
  /<UnitTestResult / { skipped = ($0 ~ /outcome="NotExecuted"/) }
  skipped && /<Message>/ && /(cuda|CUDA|NVRTC|emulator)/ && !/skipped, optional:/ { found = 1 }
  END { exit !found }' "$trx"; then
  echo "check.sh: tests that need CUDA were skipped" >&2
  status=1
fi

if $sanitize; then
  step "sanitizers"
  launches=$PWD/artifacts/launches build=artifacts/emulator-sanitized
  rm -rf "$launches" && mkdir -p "$launches"
  SPK_EMULATOR_RECORD="$launches" dotnet test tests/Spk.Tests.csproj --configuration Release --no-build --verbosity quiet \
    --filter "TestCategory=Sanitized" || status=$?
  cmake -S . -B "$build" -DSPK_SANITIZE=ON -DSPK_RECORDED_LAUNCHES="$launches" > /dev/null
  cmake --build "$build" --parallel 2> "$build/errors.txt" > /dev/null || { cat "$build/errors.txt" >&2; status=1; }
  ctest --test-dir "$build" --output-on-failure || status=$?
  echo "launches: $(find "$launches" -name '*.launch' | wc -l), each in three thread orders"
  rm -rf "$launches"
fi

exit "$status"
