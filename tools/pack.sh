#!/usr/bin/env bash
# Makes the packages with kernel binaries inside, so that users need neither a toolkit nor NVRTC. Needs NVRTC 11.8 here.
#
#   tools/pack.sh [FOLDER]   packages go to FOLDER (default: artifacts/packages)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

case "${1:-}" in
  -h | --help) sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 0 ;;
  -*) echo "pack.sh: unknown option '$1' (see --help)" >&2; exit 2 ;;
esac
packages=${1:-artifacts/packages}

# The engine takes in what lies in artifacts/kernels, if it was made from the very sources that it carries; later builds need not.
trap 'rm -rf artifacts/kernels' EXIT
dotnet run --project tools/Spk.KernelPack --configuration Release -- artifacts/kernels
for project in engine/Interop src/Spk.Engine src/Spk.Training src/Spk.Cli; do
  dotnet pack "$project" --configuration Release --verbosity quiet --output "$packages"
done
ls -l "$packages"
