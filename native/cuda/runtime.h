#pragma once
namespace dyno::cuda {
class Runtime {};
}
