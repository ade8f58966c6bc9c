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

slow="&TestCategory!=Slow"
forbid_cuda_skips=false
sanitize=false
for argument in "$@"; do
  case "$argument" in
    --slow) slow="" ;;
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
# The analyzers' share, and the style that is configured as a warning, are errors of the build.
dotnet format whitespace Spk.slnx --no-restore --verify-no-changes
dotnet format style Spk.slnx --no-restore --verify-no-changes --severity error

step "build"
dotnet build Spk.slnx --configuration Release --no-restore --verbosity quiet

step "tests${slow:+ (without the slow ones)}"
# Three processes side by side, because a single one keeps one core busy: the launches that the sanitizers see again, the other tests in the emulator with the
# compilation of all kernels, the rest.
results=artifacts/test-results launches=$PWD/artifacts/launches
rm -rf "$results" "$launches" && mkdir -p "$results" "$launches"
run_tests() { # name, filter
  dotnet test tests/Spk.Tests.csproj --configuration Release --no-build --results-directory "$results" \
    --logger "trx;LogFileName=$1.trx" --logger "console;verbosity=minimal" --filter "$2$slow" > "$results/$1.txt" 2>&1
}
trap 'kill $(jobs -p) 2> /dev/null || true' EXIT
status=0
(if $sanitize; then export SPK_EMULATOR_RECORD=$launches; fi; run_tests sanitized "TestCategory=Sanitized") & sanitized=$!
run_tests emulated "TestCategory!=Sanitized&(FullyQualifiedName~cuda, |FullyQualifiedName~KernelCompilationTests)" & emulated=$!
run_tests others "TestCategory!=Sanitized&FullyQualifiedName!~cuda, &FullyQualifiedName!~KernelCompilationTests" & others=$!
for process in $sanitized $emulated $others; do wait "$process" || status=$?; done
for group in sanitized emulated others; do
  cat "$results/$group.txt"
  if [[ ! -f "$results/$group.trx" ]]; then
    echo "check.sh: the test run '$group' left no result file" >&2
    exit 1
  fi
done

step "skipped"
# One line per reason: how many tests, and what they said.
reasons=$(awk '
  /<UnitTestResult / { skipped = ($0 ~ /outcome="NotExecuted"/); if (skipped) total++ }
  skipped && /<Message>/ { line = $0; sub(/.*<Message>/, "", line); sub(/<\/Message>.*/, "", line); count[line]++; said++ }
  END { for (r in count) printf "%5d  %s\n", count[r], r; if (total > said) printf "%5d  without a reason\n", total - said }' "$results"/*.trx)
echo "${reasons:-none}"
if [[ -n "$slow" ]]; then echo "not run: tests of category Slow (./check.sh --slow)"; fi

if $forbid_cuda_skips && awk '
  /<UnitTestResult / { skipped = ($0 ~ /outcome="NotExecuted"/) }
  skipped && /<Message>/ && /(cuda|CUDA|NVRTC|emulator)/ && !/skipped, optional:/ { found = 1 }
  END { exit !found }' "$results"/*.trx; then
  echo "check.sh: tests that need CUDA were skipped" >&2
  status=1
fi

if $sanitize; then
  step "sanitizers"
  build=artifacts/emulator-sanitized
  cmake -S . -B "$build" -DSPK_SANITIZE=ON -DSPK_RECORDED_LAUNCHES="$launches" > /dev/null
  cmake --build "$build" --parallel 2> "$build/errors.txt" > /dev/null || { cat "$build/errors.txt" >&2; status=1; }
  ctest --test-dir "$build" --output-on-failure || status=$?
  echo "launches: $(find "$launches" -name '*.launch' | wc -l), each in three thread orders"
fi
rm -rf "$launches"

exit "$status"
