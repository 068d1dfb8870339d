#!/usr/bin/env bash
# Captures and counters of known kernels on a GPU host, three ways that must agree: captures.sh OUT [step …]; steps: bench ncu nsys
#   bench  native:copy and native:gemm with --kernels and --counters: CUPTI in the process (times, bytes, operations), verified
#   ncu    the same variants under Nsight Compute (clocks left alone): roofline counters per kernel, CSV beside the report
#   nsys   those without cuBLAS under Nsight Systems (a recorder older than the driver ends at calls that it does not know); a host without its importer leaves a .qdstrm, which QdstrmImporter turns into a report elsewhere
# Needs: out/ and native/build of this tree, `node`; NSYS names another nsys. Takes about four minutes on an H200.
set -uo pipefail
out=${1:?usage: captures.sh OUT [step …]}; shift
steps=${*:-bench ncu nsys}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
node=${NODE:-$(command -v node)}
mkdir -p "$out"
export DYNO_HOME=${DYNO_HOME:-$(mktemp -d)} NO_COLOR=1
# The addon wants cuBLASLt and CUPTI as its user's machine has them; on this host they may come with PyTorch.
packages=$(python3 -c 'import os,torch;print(os.path.dirname(os.path.dirname(torch.__file__)))' 2>/dev/null)
find_one() { for f in "$@"; do [ -e "$f" ] && { echo "$f"; return; }; done; }
if [ -n "$packages" ]; then
  : "${DYNO_CUBLASLT:=$(find_one $(find "$packages/nvidia" -name 'libcublasLt.so.1*' 2>/dev/null))}"
fi
: "${DYNO_CUPTI:=$(find_one /usr/local/cuda/lib64/libcupti.so.13 /usr/local/cuda/extras/CUPTI/lib64/libcupti.so.13 $(find "${packages:-/nowhere}/nvidia" -name 'libcupti.so.1*' 2>/dev/null))}"
[ -n "${DYNO_CUBLASLT:-}" ] && export DYNO_CUBLASLT
[ -n "$DYNO_CUPTI" ] && export DYNO_CUPTI || unset DYNO_CUPTI
has() { case " $steps " in *" $1 "*) return 0;; esac; return 1; }
step() { echo "== $* ($(date -u +%T))"; }
dyno() { "$node" "$here/out/cli.mjs" "$@"; }
{ date -u +%FT%TZ; nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.sm,clocks.mem,power.limit --format=csv,noheader
  echo "cupti: ${DYNO_CUPTI:-as the loader finds it}"; echo "cublasLt: ${DYNO_CUBLASLT:-as the loader finds it}"; "$node" --version; ncu --version | tail -1; } | tee "$out/host.txt"

copy="native:copy --set mebibytes=1024"
decode="native:gemm --set rows=128 --set inputs=8192 --set outputs=8192"
prefill="native:gemm --set rows=4096 --set inputs=4096 --set outputs=4096"
if has bench; then
  for what in copy decode prefill; do
    step "bench $what"; dyno bench ${!what} --iterations 20 --kernels --counters kernel --json --out "$DYNO_HOME/$what" >"$out/bench-$what.json" 2>"$out/bench-$what.txt" || tail -3 "$out/bench-$what.txt"
  done
  step "bench decode, an iteration as one range"; dyno bench $decode --iterations 5 --counters range --json --no-keep >"$out/bench-range.json" 2>"$out/bench-range.txt" || tail -3 "$out/bench-range.txt"
  tar cf "$out/bundles.tar" -C "$DYNO_HOME" copy decode prefill
fi
if has ncu; then
  for what in copy decode prefill; do
    for variant in baseline tf32 optimized; do
      [ $what = copy ] && [ $variant = tf32 ] && continue
      folder=$out/ncu-$what-$variant
      step "ncu $what $variant"; dyno capture ncu ${!what} --variant $variant --profile roofline --count 3 --out "$folder" --json >"$out/ncu-$what-$variant.json" 2>"$out/ncu-$what-$variant.txt" || tail -5 "$out/ncu-$what-$variant.txt"
      dyno roofline --capture "$folder/capture.ncu-rep" --json >"$out/roofline-$what-$variant.json" 2>&1
      rm -f "$folder/events.dyno"
    done
  done
  # As the run leaves the caches: back to back, a copy first writes back what the one before left in L2.
  for variant in baseline optimized; do
    dyno capture ncu $copy --variant $variant --profile minimal --count 3 --caches none --out "$out/ncu-copy-$variant-warm" --json >/dev/null 2>"$out/ncu-copy-$variant-warm.txt"
    dyno roofline --capture "$out/ncu-copy-$variant-warm/capture.ncu-rep" --json >"$out/roofline-copy-$variant-warm.json" 2>&1
    rm -f "$out/ncu-copy-$variant-warm/events.dyno"
  done
  ncu --import "$out/ncu-decode-optimized/capture.ncu-rep" --csv --page raw --print-units base >"$out/ncu-decode-optimized.csv" 2>&1
  ncu --import "$out/ncu-decode-optimized/capture.ncu-rep" --csv --page raw >"$out/ncu-scaled-units.csv" 2>&1
fi
if has nsys; then
  for what in copy decode prefill; do
    folder=$out/nsys-$what
    step "nsys $what"; dyno capture nsys ${!what} --variant $( [ $what = copy ] && echo baseline,optimized || echo baseline ) --iterations 20 ${NSYS:+--tool "$NSYS"} --out "$folder" --json >"$out/nsys-$what.json" 2>"$out/nsys-$what.txt" || tail -2 "$out/nsys-$what.txt"
    find "$folder" -name events.dyno -delete; find "$folder" -maxdepth 2 -name '*.qdstrm' -exec mv {} "$folder/" \; 2>/dev/null
  done
fi
step end
