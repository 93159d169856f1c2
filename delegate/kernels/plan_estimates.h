// What kernels would take for a layer, against XNNPACK on the same CPU. Both in multiplications that XNNPACK does in
// that time (CpuCosts).
#ifndef TFLITE_EQ_DELEGATE_KERNELS_PLAN_ESTIMATES_H_
#define TFLITE_EQ_DELEGATE_KERNELS_PLAN_ESTIMATES_H_

#include "delegate/kernels/certificate.h"
#include "delegate/kernels/conv_types.h"
#include "delegate/kernels/cpu_profile.h"

namespace tflite_eq {

// XNNPACK's multiplications for a layer that is not depthwise. Its kernels take input channels by eights, and pad fewer.
double XnnpackMultiplications(const ConvShape& shape);

struct Estimate {
  double work;      // with all data in caches
  double fetch;     // what more it takes to get weights and scratch from memory than XNNPACK to get its weights
  double bytes;     // that it fetches more
  double peer;      // XNNPACK's; on AMX with that, or hardly more than without it if that is less
  double expected;  // between layers that pass through the same caches

  // Negative where XNNPACK's time is exceeded.
  double saved() const { return peer - expected; }
};

Estimate EstimateWinogradF43(const ConvShape& shape, const CpuProfile& cpu);
Estimate EstimateWinogradF23(const ConvShape& shape, const CpuProfile& cpu);
Estimate EstimateWinograd1d(const ConvShape& shape, const CpuProfile& cpu, bool two_taps);

// Of the direct kernels, with codes that are all of seven bits or not; the peer's time is 0 where neither is known. With VNNI there is
// one for all codes.
Estimate EstimateDirectVnni(const ConvShape& shape, const CpuProfile& cpu);
Estimate EstimateDirect(const ConvShape& shape, const CpuProfile& cpu, bool seven_bits);

// Of the depthwise kernel; the peer's time is 0 where neither is known.
Estimate EstimateDepthwise(const ConvShape& shape, const CpuProfile& cpu);

// Whether a kernel is clearly faster with its data in caches, and not slower without: a layer that is alone in its network, or runs
// once in a while, finds none there. Sets the reason if not.
bool Pays(const Estimate& estimate, const char* kernel, Reason* reason);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_PLAN_ESTIMATES_H_
