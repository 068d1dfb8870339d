#include "transformer/experts.h"

namespace dyno::transformer {
Status describeExperts(ExpertScratch& scratch, const Model& model, int tokens) {
  const Shape& shape = model.shape();
  scratch.grouped = model.hopper();
  if (!scratch.grouped) return Nothing{};
  DYNO_TRY(model.context()->makeCurrent());
  // [rows][columns] in BF16, read in boxes of 64 columns × 128 rows that are swizzled by 128 bytes.
  const auto describe = [&](cuda::TensorMap& map, cuda::DevicePointer at, int rows, int columns) -> Status {
    const std::uint64_t sizes[2] = {static_cast<std::uint64_t>(columns), static_cast<std::uint64_t>(rows)},
                        strides[1] = {static_cast<std::uint64_t>(columns) * 2};
    const std::uint32_t box[2] = {64, 128}, steps[2] = {1, 1};
    namespace as = cuda::tensorMap;
    DYNO_CUDA_TRY(model.context()->library(), tensorMapEncode, &map, as::bfloat16, 2, reinterpret_cast<void*>(at), sizes,
                  strides, box, steps, as::noInterleave, as::swizzle128, as::promote256, as::fillZeros);
    return Nothing{};
  };
  DYNO_TRY(describe(scratch.gatheredMap, scratch.gathered, tokens * shape.topK, shape.hidden));
  DYNO_TRY(describe(scratch.hMap, scratch.h, tokens * shape.topK, shape.expertFfn));
  scratch.gateUpMaps.resize(static_cast<std::size_t>(shape.layers));
  scratch.downMaps.resize(static_cast<std::size_t>(shape.layers));
  for (int l = 0; l < shape.layers; ++l) {
    const LayerWeights& w = model.weights().layer(l);
    DYNO_TRY(describe(scratch.gateUpMaps[static_cast<std::size_t>(l)], w.expertGateUp,
                      shape.experts * 2 * shape.expertFfn, shape.hidden));
    DYNO_TRY(describe(scratch.downMaps[static_cast<std::size_t>(l)], w.expertDown, shape.experts * shape.hidden,
                      shape.expertFfn));
  }
  return Nothing{};
}

}  // namespace dyno::transformer
