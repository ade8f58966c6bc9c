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

cp -r "$samples"/{ClusterConsole,ClusterApi,VerifyConsole,VerifyApi} "$clean"
cd "$clean"
rm -rf -- */bin */obj

# A folder for packages of its own: an older package of the same version in the user's cache would be taken instead of this one.
cat > NuGet.config << END
<configuration>
  <config><add key="globalPackagesFolder" value="restored" /></config>
  <packageSources><add key="packed" value="$packages" /></packageSources>
</configuration>
END
for sample in ClusterConsole ClusterApi VerifyConsole VerifyApi; do
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
serve() { # SAMPLE OPTION...
  (cd "$1" && exec dotnet "bin/Release/net10.0/$1.dll" --urls http://127.0.0.1:0 "${@:2}") > server.log 2>&1 &
  server=$!
  for _ in $(seq 100); do
    url=$(sed -n 's/.*Now listening on: //p' server.log)
    [[ -z "$url" ]] || return 0
    kill -0 "$server" 2> /dev/null || fail "$1 did not start: $(cat server.log)"
    sleep 0.1
  done
  fail "$1 did not start in ten seconds: $(cat server.log)"
}
end_server() {
  kill "$server"
  wait "$server" 2> /dev/null || true
  server=
}
serve ClusterApi
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
end_server

# A model to verify with, from the tool in the same packages: the voices are made up and the training is a token one.
dotnet tool install Spk.Cli --tool-path tool --version "$(basename "$packages"/Spk.Cli.[0-9]*.nupkg .nupkg | sed 's/^Spk\.Cli\.//')" > build.log || fail "the tool cannot be installed: $(cat build.log)"
tool/spk data synth --out voices --speakers 2 --eval-speakers 2 --utterances 2 --sessions 1 --quiet > /dev/null
printf 'encoder: { kind: tdnn, width: 16, embeddingSize: 16 }\ndata: { cropSeconds: 1 }\ntraining: { epochs: 1, batch: 2 }\n' > recipe.yaml
tool/spk pretrain recipe.yaml --set data.root=voices --out run --device cpu --quiet > /dev/null
read -r first second third _ <<< "$(echo voices/eval/*/*.wav)"

verify() { dotnet VerifyConsole/bin/Release/net10.0/VerifyConsole.dll run "$@"; }
expect "$(verify enrol alice "$first" "$second")" "enrolled alice from 2 recordings; 1 in profiles.spk"
expect "$(verify enrol bob "$third")" "2 in profiles.spk"
expect "$(verify identify "$third" --top 1)" "bob"
expect "$(verify verify bob "$third" --threshold 0.5)" "accepted: score 1.000"
status=0
verify verify alice "$third" --threshold 1 > /dev/null || status=$?
((status == 3)) || fail "a score below the threshold was answered with status $status"
cp profiles.spk before.spk
for pause in 1 2 3 4 5 6 7 8; do
  dotnet VerifyConsole/bin/Release/net10.0/VerifyConsole.dll run enrol "killed-$pause" "$first" > /dev/null 2>&1 &
  victim=$!
  sleep "0.$pause"
  kill -KILL "$victim" 2> /dev/null || true
  wait "$victim" 2> /dev/null || true
  [[ $(verify list) == *alice*bob* ]] || fail "an enrolment that was killed after 0.$pause s harmed the profiles"
done
head -c 300 before.spk > profiles.spk
if problem=$(verify list 2>&1); then fail "damaged profiles were accepted"; fi
expect "$problem" "error: "

serve VerifyApi --Model "$clean/run" --Profiles "$clean/served.spk"
wav() { ask --request "$1" --header 'Content-Type: audio/wav' --data-binary "@$3" "$url$2"; }
expect "$(ask "$url/")" '<title>Speaker verification</title>'
expect "$(wav PUT /speakers/alice "$first")" '{"id":"alice","recordings":1} 200'
expect "$(ask --request PUT --form "a=@$first" --form "b=@$second" "$url/speakers/alice")" '{"id":"alice","recordings":2} 200'
expect "$(wav PUT /speakers/bob "$third")" 200
expect "$(ask "$url/speakers")" '{"speakers":["alice","bob"],"threshold":null,'
expect "$(wav POST /speakers/bob/verify "$third")" '{"id":"bob","score":'
expect "$(wav POST '/identify?top=1' "$third")" '[{"id":"bob","score":'
expect "$(wav POST /speakers/nobody/verify "$third")" '} 404'
expect "$(wav PUT /speakers/carol recipe.yaml)" '} 400'
expect "$(ask --request PUT "$url/speakers/carol")" "there is no recording"
head -c 40000000 /dev/zero > large.wav
expect "$(wav PUT /speakers/carol large.wav)" '} 413'
expect "$(ask --request DELETE "$url/speakers/bob")" ' 204'
end_server
serve VerifyApi --Model "$clean/run" --Profiles "$clean/served.spk"
expect "$(ask "$url/speakers")" '{"speakers":["alice"],'
end_server
echo "samples: built from the packages, run and answered"
