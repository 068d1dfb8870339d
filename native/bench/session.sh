#!/usr/bin/env bash
# One whole measurement session on a GPU host: session.sh OUT [step …]; steps: describe ceilings peers telemetry overhead workloads sanitize
# Needs: native/build (addon, kernels, bench bundles), `node` or native/build/gpu/node.xz, and python3 with PyTorch for the comparison.
set -uo pipefail
out=${1:?usage: session.sh OUT [step …]}; shift
steps=${*:-describe ceilings telemetry overhead workloads sanitize}
export DYNO_NATIVE=native/build PYTHONUNBUFFERED=1
bench=native/build/bench
node=$(command -v node || true)
if [ -z "$node" ]; then xz -dc native/build/gpu/node.xz >/tmp/node && chmod +x /tmp/node && node=/tmp/node; fi
# The addon wants cuBLASLt as its user's machine has it; on this host it may come with PyTorch.
if [ -z "${DYNO_CUBLASLT:-}" ]; then
  DYNO_CUBLASLT=$(python3 -c 'import glob,os,torch;r=os.path.dirname(os.path.dirname(torch.__file__));print((glob.glob(r+"/nvidia/**/libcublasLt.so.1*",recursive=True)+[""])[0])' 2>/dev/null)
  export DYNO_CUBLASLT
fi
{ date -u +%FT%TZ; nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.sm,clocks.mem,power.limit --format=csv,noheader; echo "cublasLt: $DYNO_CUBLASLT"; "$node" --version; } | tee "$out/host.txt"
has() { case " $steps " in *" $1 "*) return 0;; esac; return 1; }
step() { echo "== $1 ($(date -u +%T))"; }

if has describe; then step describe; "$node" $bench/describe.mjs >"$out/describe.json" || cat "$out/describe.json"; fi
if has ceilings; then
  step ceilings
  # In turn, twice each: at the power limit the card's clock drifts with its temperature.
  for round in 1 2; do
    "$node" $bench/ceilings.mjs >"$out/ceilings-$round.json" 2>>"$out/progress.txt" || echo "ceilings failed"
    step pytorch; python3 $bench/pytorch_ceilings.py >"$out/pytorch-$round.json" || echo "pytorch failed"
  done
fi
if has peers; then step peers; "$node" $bench/ceilings.mjs 1 >"$out/ceilings-gpu1.json" 2>>"$out/progress.txt"; nvidia-smi topo -m >"$out/topo.txt"; fi
if has telemetry; then
  step telemetry
  nvidia-smi dmon -i 0 -d 1 -s u -o T --gpm-metrics 2,3,5,10 >"$out/dmon.txt" 2>&1 & dmon=$!
  "$node" $bench/record.mjs $bench/load.mjs 7 >"$out/record.json" || echo "record failed"
  kill $dmon
  head -4 "$out/dmon.txt"
  step "telemetry alone"; "$node" $bench/record.mjs $bench/load.mjs 4 >"$out/record-alone.json" || echo "record failed"
  step "telemetry, 10 kHz"; timeout 100 "$node" $bench/record.mjs $bench/load.mjs 4 high >"$out/record-high.json" || echo "record failed"
fi
if has overhead; then
  step "cost of each metric"; "$node" $bench/cost.mjs | tee "$out/cost.json"
  step overhead; "$node" $bench/overhead.mjs 30 | tee "$out/overhead.json"
fi
if has workloads; then step workloads; timeout 150 "$node" $bench/workloads.mjs >"$out/workloads.json" || echo "workloads failed"; fi
if has sanitize; then
  for tool in memcheck racecheck initcheck synccheck; do
    step "compute-sanitizer $tool"
    extra=""; [ $tool = memcheck ] && extra="--leak-check full"
    timeout 150 compute-sanitizer --tool $tool $extra --error-exitcode 9 "$node" $bench/sanitize.mjs >"$out/sanitizer-$tool.txt" 2>&1; echo "exit $?"
    tail -4 "$out/sanitizer-$tool.txt"
  done
fi
step compare; python3 $bench/compare.py "$out" | tee "$out/compare.md"
step end
