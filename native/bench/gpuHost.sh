#!/usr/bin/env bash
# The measurements that need a GPU host, from packing to results, for a host without network and without Node:
#
#   native/bench/gpuHost.sh pack OUT [node.xz]    here: addon, kernels, bundles, DuckDB (about 25 MiB, with Node 50) into OUT
#   OUT/gpuHost.sh run RESULTS [step …]           there: steps host doctor topology targets nvrtc ceilings overhead sanitize;
#                                                 `transformer` (correctness beside Hugging Face's, then speed beside its peers),
#                                                 `kernels` (its kernels by ncu) and `memory` (compute-sanitizer over its passes);
#                                                 with two GPUs also `peers` (peer matrix, P2P, NCCL, the topology probe)
# `node.xz` is a Node for Linux, packed by xz; else the host's own is used. Needs there: python3 with PyTorch beside which the ceilings are
# measured; compute-sanitizer for `sanitize`. Nothing changes a card's settings.
set -uo pipefail
mode=${1:?usage: gpuHost.sh pack OUT [node.xz] | run RESULTS [step …]}; shift

if [ "$mode" = pack ]; then
  out=$(realpath -m "${1:?usage: gpuHost.sh pack OUT [node.xz]}")
  root=$(cd "$(dirname "$0")/../.." && pwd); cd "$root"
  set -e
  node scripts/build.mjs --only node
  bash native/bench/build.sh
  rm -rf "$out"; mkdir -p "$out/app/native/build/kernels" "$out/app/out" "$out/app/node_modules/@duckdb"
  cp out/{cli,runner,captures}.mjs "$out/app/out/"
  cp package.json "$out/app/"
  cp native/build/dyno.node "$out/app/native/build/"; strip --strip-debug "$out/app/native/build/dyno.node"
  cp -r native/build/kernels/. "$out/app/native/build/kernels/"
  cp -r native/build/bench "$out/app/native/build/"
  cp -rL node_modules/@duckdb/{node-api,node-bindings,node-bindings-linux-x64} "$out/app/node_modules/@duckdb/"
  tar cf - -C "$out" app | xz -T2 -3 >"$out/app.tar.xz"; rm -rf "$out/app"
  [ -z "${2:-}" ] || cp "$2" "$out/node.xz"
  cp "$0" "$out/gpuHost.sh"
  ls -la "$out"; exit 0
fi

results=${1:?usage: gpuHost.sh run RESULTS [step …]}; shift
mkdir -p "$results"; results=$(realpath "$results")
steps=${*:-host doctor topology targets nvrtc ceilings overhead sanitize}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d); xz -dc "$here/app.tar.xz" | tar xf - -C "$work"; cd "$work/app"
node=$(command -v node || true)
if [ -f "$here/node.xz" ]; then xz -dc "$here/node.xz" >"$work/node"; chmod +x "$work/node"; node="$work/node"; fi
export DYNO_HOME="$work/home" DYNO_NATIVE=native/build PYTHONUNBUFFERED=1
# Libraries as the user's machine has them; on some hosts they come with PyTorch.
beside() { python3 -c 'import glob,os,sys,torch;r=os.path.dirname(os.path.dirname(torch.__file__));print((sorted(glob.glob(r+"/nvidia/**/"+sys.argv[1],recursive=True))+[""])[0])' "$1" 2>/dev/null; }
for pair in DYNO_CUBLASLT=libcublasLt.so.1* DYNO_NCCL=libnccl.so.2 DYNO_NVRTC='libnvrtc.so.1?'; do
  name=${pair%%=*}; [ -n "${!name:-}" ] && continue
  found=$(beside "${pair#*=}"); [ -n "$found" ] && export "$name=$found"
done
dyno="$node out/cli.mjs"
bench=native/build/bench
has() { case " $steps " in *" $1 "*) return 0;; esac; return 1; }
# step FILE SECONDS COMMAND…: output to FILE, complaints to FILE.err where there are any
step() { local file=$1 limit=$2 begin=$SECONDS; shift 2; timeout "$limit" "$@" >"$results/$file" 2>"$results/$file.err"; echo "$file: exit $?, $((SECONDS - begin)) s $(tail -c 300 "$results/$file.err" | tr '\n' ' ')"; [ -s "$results/$file.err" ] || rm -f "$results/$file.err"; }

if has host; then
  { date -u +%FT%TZ; nvidia-smi --query-gpu=index,name,driver_version,memory.total,power.limit --format=csv,noheader
    # Names of libraries, not where they lie.
    for name in DYNO_CUBLASLT DYNO_NCCL DYNO_NVRTC; do value=${!name:-none}; echo "$name ${value##*/}"; done; "$node" --version; } | tee "$results/host.txt"
fi
if has doctor; then step doctor.json 60 $dyno doctor --json; fi
if has topology; then step topology.json 30 $dyno topology --json; step topology.txt 30 $dyno topology; fi
if has targets; then
  for target in ch17:memory ch15:continuous_batching ch17:routing_static native:copy_overlap native:copy native:gemm labs/dynamic_router:topology_probe; do
    name=${target##*:}
    step "bench-$name.json" 120 $dyno bench "$target" --engine cuda --json --report "$results/report-$name.html"
  done
  step compare-last.txt 60 $dyno compare "$(ls "$DYNO_HOME/runs" | tail -1)"
fi
if has nvrtc; then
  DYNO_KERNELS=nvrtc step bench-memory-nvrtc.json 120 $dyno bench ch17:memory --iterations 10 --json
  DYNO_KERNELS=nvrtc step bench-routing_static-nvrtc.json 120 $dyno bench ch17:routing_static --iterations 10 --json
fi
if has ceilings; then
  # In turn, twice each: at the power limit the card's clock drifts with its temperature.
  for round in 1 2; do
    step "ceilings-$round.json" 90 "$node" $bench/ceilings.mjs
    step "pytorch-$round.json" 90 python3 $bench/pytorch_ceilings.py
  done
fi
if has overhead; then step overhead.json 240 "$node" $bench/overhead.mjs "${DYNO_OVERHEAD_ROUNDS:-150}" "single launches"; fi
if has transformer; then
  # Needs transformers beside PyTorch. The table of each comes last in its file; the peers run on the same card just before.
  step transformer-models.txt 120 python3 $bench/transformer_peer.py make "$work/models"
  step transformer-check.txt 120 "$node" $bench/transformer.mjs check "$work/models"; cat "$results/transformer-check.txt"
  step peer-eager.json 120 python3 $bench/transformer_peer.py speed
  step peer-compiled.json 240 python3 $bench/transformer_peer.py speed compiled
  step transformer-speed.txt 120 "$node" $bench/transformer.mjs speed "$results/peer-eager.json" "$results/peer-compiled.json"
  cat "$results/transformer-speed.txt"
fi
if has kernels; then
  for shape in decode1 decode64 prefill8192; do
    step kernels-$shape.csv 120 ncu --clock-control none --csv --page raw --metrics gpu__time_duration.sum,dram__bytes.sum,dram__throughput.avg.pct_of_peak_sustained_elapsed \
      -k 'regex:gemv|Attention|ropeKv|rmsNorm|swiglu|greedy|nvjet|gemm' -c 120 "$node" $bench/transformer.mjs once $shape
  done
fi
if has memory; then
  # NVIDIA's own products (nvjet) are left out: racecheck takes their barriers for hazards.
  for tool in memcheck racecheck; do
    step transformer-$tool.txt 240 compute-sanitizer --tool $tool --kernel-regex-exclude kns=nvjet --error-exitcode 9 "$node" $bench/transformer.mjs once small
    tail -2 "$results/transformer-$tool.txt"
  done
fi
if has peers; then
  step topology-measured.txt 120 $dyno topology --measure
  step topology-measured.json 120 $dyno topology --measure --json
  nvidia-smi topo -m >"$results/nvidia-smi-topo.txt" 2>&1
  step bench-topology_probe.json 180 $dyno bench labs/dynamic_router:topology_probe --json --report "$results/report-topology_probe.html"
fi
if has sanitize; then
  for tool in memcheck racecheck initcheck synccheck; do
    extra=""; [ $tool = memcheck ] && extra="--leak-check full"
    step "sanitizer-$tool.txt" 120 compute-sanitizer --tool $tool $extra --error-exitcode 9 "$node" $bench/sanitize.mjs
    tail -3 "$results/sanitizer-$tool.txt"
  done
  DYNO_KERNELS=nvrtc step sanitizer-memcheck-nvrtc.txt 120 compute-sanitizer --tool memcheck --leak-check full --error-exitcode 9 "$node" $bench/sanitize.mjs
  tail -3 "$results/sanitizer-memcheck-nvrtc.txt"
fi
if has ceilings; then python3 $bench/compare.py "$results" >"$results/compare.md" 2>&1; tail -30 "$results/compare.md"; fi
if [ -d "$DYNO_HOME/runs" ]; then
  # One bundle, whole: what a reader can open.
  last=$(ls "$DYNO_HOME/runs" | tail -1); cp -r "$DYNO_HOME/runs/$last" "$results/run"
fi
tar czf "$work/all.tgz" -C "$results" . && rm -rf "${results:?}"/* && mv "$work/all.tgz" "$results/results.tgz"
