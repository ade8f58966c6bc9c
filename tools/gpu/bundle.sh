#!/usr/bin/env bash
# Packs everything a machine with an NVIDIA GPU and its driver needs into one archive: spk with the tests and benchmarks as a single
# file (no .NET needed there), the recipes, and, where they are at hand, some real speech, the reference values and the peers' scripts.
#
#   tools/gpu/bundle.sh [OUT.tar.gz] [--speech DIR] [--golden DIR] [--peers DIR]
#
# There: tar xzf OUT.tar.gz && spk-gpu/run.sh RESULTS
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

out=artifacts/spk-gpu.tar.gz
speech="" golden="" peers=""
limit_bytes=$((55 * 1000 * 1000))
while (($#)); do
  case "$1" in
    --speech) speech=$2; shift 2 ;;
    --golden) golden=$2; shift 2 ;;
    --peers) peers=$2; shift 2 ;;
    -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
    -*) echo "bundle.sh: unknown option '$1' (see --help)" >&2; exit 2 ;;
    *) out=$1; shift ;;
  esac
done

staging=$(mktemp -d)
trap 'rm -rf "$staging" artifacts/kernels' EXIT
bundle="$staging/spk-gpu"
mkdir -p "$bundle"

# With compiled kernels inside, the driver is enough there; without NVRTC 11.8 here, NVRTC is needed there.
dotnet run --project tools/Spk.KernelPack --configuration Release -- artifacts/kernels || echo "bundle.sh: goes without compiled kernels" >&2
dotnet publish tools/gpu/Spk.GpuBundle --configuration Release --output "$staging/publish" --verbosity quiet
cp "$staging/publish/spk-gpu" tools/gpu/run.sh "$bundle/"
cp -r recipes "$bundle/recipes"
# The tests look for the solution to find the repository's files.
cp Spk.slnx "$bundle/"
mkdir -p "$bundle/docs" && cp docs/ops.md "$bundle/docs/"
if [[ -n "$golden" ]]; then cp -r "$golden" "$bundle/golden"; fi
if [[ -n "$peers" ]]; then mkdir -p "$bundle/peers" && cp "$peers"/*.py "$bundle/peers/"; fi
if [[ -n "$speech" ]]; then
  # Enough utterances, of sixty speakers, to see a real loss fall; more would not fit.
  mkdir -p "$bundle/speech"
  awk 'NR == 1 || NR % 30 == 0' "$speech/train.csv" > "$bundle/speech/train.csv"
  dotnet run --project src/Spk.Cli --configuration Release -- data pack "$bundle/speech/train.csv" --data "$speech" --out "$bundle/speech/train.spkpack" --quiet
fi

mkdir -p "$(dirname "$out")"
tar czf "$out" -C "$staging" spk-gpu
bytes=$(stat -c %s "$out")
echo "$out: $((bytes / 1000000)) MB"
if ((bytes > limit_bytes)); then
  echo "bundle.sh: that is above the limit of $((limit_bytes / 1000000)) MB" >&2
  exit 1
fi
