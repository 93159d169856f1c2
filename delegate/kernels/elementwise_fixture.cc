#include "delegate/kernels/elementwise_fixture.h"

namespace tflite_eq {

std::vector<NamedKernels> AllKernels() {
  std::vector<NamedKernels> all;
  for (Isa isa : kIsas) {
    const ElementwiseKernels kernels = FindElementwise(isa);
    if (kernels.isa == isa && CpuSupports(isa)) all.push_back({IsaName(isa), kernels});
  }
  if (CpuSupports(Isa::kAvx512Vbmi)) all.push_back({"avx512_vbmi", FindElementwise(Isa::kAvx512Vbmi)});
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, Elementwise, testing::ValuesIn(AllKernels()),
                         [](const testing::TestParamInfo<NamedKernels>& info) { return "on_" + info.param.name; });

}  // namespace tflite_eq
