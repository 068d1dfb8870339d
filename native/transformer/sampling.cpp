#include "transformer/sampling.h"

namespace dyno::transformer {

Status checkSampling(const PassPlan& plan, const Shape& shape, const PassLimits& limits) {
  const auto refused = [](const std::string& what) { return DriverError{"", 0, "PLAN", what, ""}; };
  const auto number = [](auto value) { return std::to_string(value); };
  const std::size_t rows = plan.slots.size(), words = maskWords(shape.vocab), masks = plan.masks.size() / words;
  if (!plan.masks.empty() || !plan.mask.empty()) {
    if (plan.masks.size() % words != 0)
      return refused("The masks have " + number(plan.masks.size()) + " words, expected a multiple of " + number(words) + ".");
    if (masks > static_cast<std::size_t>(limits.maxSequences))
      return refused("The pass brings " + number(masks) + " masks, the instance takes " + number(limits.maxSequences) + ".");
    if (plan.mask.size() != rows)
      return refused("The pass names " + number(plan.mask.size()) + " masks for " + number(rows) + " rows.");
    for (std::size_t i = 0; i < rows; ++i) {
      if (plan.mask[i] < -1 || plan.mask[i] >= static_cast<std::int32_t>(masks))
        return refused("Row " + number(i) + " of the pass: mask " + number(plan.mask[i]) + ", there are " + number(masks) + ".");
    }
  }
  for (std::size_t i = 0; i < plan.temperature.size(); ++i) {
    // Written so that a value that is not a number is refused.
    if (!(plan.temperature[i] >= 0) || !(plan.topP[i] > 0))
      return refused("Row " + number(i) + " of the pass: temperature " + number(plan.temperature[i]) + " and top-p " +
                     number(plan.topP[i]) + ", expected at least 0 and more than 0.");
  }
  return Nothing{};
}

std::vector<RowSampling> samplingOf(const PassPlan& plan) {
  std::vector<RowSampling> result;
  for (std::size_t i = 0; i < plan.slots.size(); ++i) {
    if ((plan.flags[i] & rowSamples) == 0) continue;
    RowSampling row;
    if (!plan.temperature.empty()) {
      row.temperature = plan.temperature[i];
      row.topP = plan.topP[i];
      row.seedLow = plan.draws[2 * i];
      row.position = plan.draws[2 * i + 1];
    }
    if (!plan.mask.empty()) row.mask = plan.mask[i];
    const int count = plan.sampleAll ? plan.counts[i] : 1;
    for (int t = 0; t < count; ++t, ++row.position) result.push_back(row);
  }
  return result;
}

}  // namespace dyno::transformer
