#include "transformer/random_weights.h"

#include <cstring>

namespace dyno::transformer {
namespace {
std::uint32_t mixed(std::uint32_t h) {
  h ^= h >> 16;
  h *= 0x85EBCA6Bu;
  h ^= h >> 13;
  h *= 0xC2B2AE35u;
  return h ^ h >> 16;
}
}  // namespace

std::uint32_t weightKey(std::uint32_t seed, std::string_view name) {
  std::uint32_t hash = 0x811C9DC5u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x01000193u;
  return mixed(hash ^ mixed(seed + 0x9E3779B9u));
}

float roundToBf16(float value) {
  std::uint32_t word = 0;
  std::memcpy(&word, &value, 4);
  word = (word + 0x7FFFu + (word >> 16 & 1u)) & 0xFFFF0000u;
  std::memcpy(&value, &word, 4);
  return value;
}

float randomWeight(std::uint32_t key, std::uint32_t index, float centre, float scale) {
  const std::uint32_t h = mixed(mixed(index * 0x9E3779B1u + key) ^ key);
  const int whole = static_cast<int>(h >> 8) * 2 - 0xFFFFFF;
  const float part = scale * (static_cast<float>(whole) * 0x1p-24f);
  return roundToBf16(centre + part);
}

}  // namespace dyno::transformer
