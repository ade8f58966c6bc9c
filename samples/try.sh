#!/usr/bin/env bash
# Builds and runs the samples as a user would: in a clean folder outside the checkout, from packed packages.
#
#   dotnet pack Spk.slnx --configuration Release --output artifacts/packages
#   samples/try.sh artifacts/packages
set -euo pipefail
samples=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
packages=$(cd "${1:?usage: samples/try.sh PACKAGES}" && pwd)
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

clean=$(mktemp -d)
server=
finish() {
  if [[ -n "$server" ]]; then kill "$server" 2> /dev/null || true; fi
  rm -rf "$clean"
}
trap finish EXIT
fail() { echo "samples: $1" >&2; exit 1; }
expect() { grep -qF -- "$2" <<< "$1" || fail "'$2' was expected in: $1"; }

cp -r "$samples/ClusterConsole" "$samples/ClusterApi" "$clean"
cd "$clean"
rm -rf Cluster*/bin Cluster*/obj

# A folder for packages of its own: an older package of the same version in the user's cache would be taken instead of this one.
cat > NuGet.config << END
<configuration>
  <config><add key="globalPackagesFolder" value="restored" /></config>
  <packageSources><add key="packed" value="$packages" /></packageSources>
</configuration>
END
for sample in ClusterConsole ClusterApi; do
  dotnet build "$sample" --configuration Release --verbosity quiet --nologo -warnaserror > build.log || fail "$sample does not build: $(cat build.log)"
done
for id in interop engine; do
  cmp -s "$packages"/Spk."${id^}".[0-9]*.nupkg restored/spk.$id/*/*.nupkg || fail "Spk.${id^} did not come from $packages"
done

console() { dotnet ClusterConsole/bin/Release/net10.0/ClusterConsole.dll "$@"; }
expect "$(console)" "K = 5, the highest silhouette"
printf 'a,0,1\nb,0,2\nc,9,0\nd,8,0\ne,7,0\n' > rows.csv
console rows.csv --k 2 --out labels.csv > /dev/null
[[ $(tail -n +2 labels.csv | cut -d, -f2 | tr '\n' ' ') =~ ^(0 0 1 1 1|1 1 0 0 0)\ $ ]] || fail "wrong labels of rows.csv: $(cat labels.csv)"
if problem=$(console absent.csv 2>&1); then fail "a missing file was accepted"; fi
expect "$problem" "error: "

# Port 0: the system chooses a free one, and the server says which.
(cd ClusterApi && exec dotnet bin/Release/net10.0/ClusterApi.dll --urls http://127.0.0.1:0) > server.log 2>&1 &
server=$!
for _ in $(seq 100); do
  url=$(sed -n 's/.*Now listening on: //p' server.log)
  [[ -z "$url" ]] || break
  kill -0 "$server" 2> /dev/null || fail "the API did not start: $(cat server.log)"
  sleep 0.1
done
[[ -n "$url" ]] || fail "the API did not start in ten seconds: $(cat server.log)"
ask() { curl --silent --show-error --max-time 20 --write-out ' %{http_code}' "$@"; }
post() { ask --header 'Content-Type: application/json' --data "$1" "$url/cluster"; }
vectors='"vectors": [[0, 0], [0, 1], [10, 10], [10, 11], [20, 0]]'
expect "$(ask "$url/health")" "Healthy 200"
for method in kmeans gmm; do
  answer=$(post "{$vectors, \"k\": 3, \"method\": \"$method\"}")
  expect "$answer" '} 200'
  [[ "$answer" =~ \"labels\":\[([0-2]),([0-2]),([0-2]),([0-2]),([0-2])\] ]] || fail "no labels: $answer"
  read -r a b c d e <<< "${BASH_REMATCH[*]:1}"
  ((a == b && c == d && a != c && a != e && c != e)) || fail "wrong labels: $answer"
done
expect "$(post "{$vectors, \"k\": 3, \"method\": \"ahc\", \"metric\": \"euclidean\"}")" '"labels":[0,0,1,1,2]'
refuse() {
  local answer
  answer=$(post "$1")
  expect "$answer" '} 400'
  expect "$answer" "\"detail\":\"$2"
}
refuse "{$vectors, \"k\": 9}" 'k: 9 was given; use 1 to 5, the number of vectors.'
refuse "{$vectors, \"k\": 2, \"metric\": \"l1\"}" 'metric: '
refuse '{"vectors": [[1, 2], [3]], "k": 1}' 'vectors: vector 1 has 1 numbers'
refuse '{"vectors": [[1, 2], [3' 'vectors'
kill "$server"
wait "$server" 2> /dev/null || true
server=
echo "samples: built from the packages, run and answered"
