#!/usr/bin/env bash
# Builds native/build/check/: what a GPU host needs to check and time the transformer without Node. Needs nvcc and g++.
#   kernels_check      MoE, sampling and FP8 kernels against float64 references, and their times (check/main.cu)
#   experts_check      mixtures of experts and sampling through the whole runtime (bench/experts_check.cpp)
#   transformer_check  dense models through the whole runtime (bench/transformer_check.cpp)
# The last two take the kernels of native/build/kernels.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=build/check
objects=$out/objects; mkdir -p "$objects"
flags=(-O3 -std=c++17 -lineinfo -gencode arch=compute_90a,code=sm_90a -I.)
for file in transformer/{moe_route,moe_decode,moe_grouped,sample,fp8}.cu transformer/check/*.cu; do
  nvcc "${flags[@]}" -c "$file" -o "$objects/$(basename "$file" .cu).o"
done
nvcc "${flags[@]}" -o $out/kernels_check "$objects"/*.o -ldl
toolkit=$(dirname "$(nvcc --dryrun -x cu /dev/null 2>&1 | sed -n 's/^#$ _HERE_=//p')")/include
for program in experts_check transformer_check; do
  g++ -std=c++20 -O2 -g1 -pthread -I. -isystem ../node_modules/node-api-headers/include -idirafter "$toolkit" \
    {cuda,engine,nvml,transformer}/*.cpp "bench/$program.cpp" -o "$out/$program" -static-libstdc++ -static-libgcc -ldl
done
