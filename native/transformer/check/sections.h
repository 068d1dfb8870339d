// The parts of the check: each compares kernels with float64 references, or times them.
#pragma once
#include "transformer/check/check.h"

namespace check {
void checkMoe();
void checkMoeFull();
void timeMoe(const Roofs& roofs);
void checkSampling();
void timeSampling(const Roofs& roofs);
void checkFp8();
void timeFp8(const Roofs& roofs);
}  // namespace check
