#include "delegate/python/module.h"

#include <vector>

#include "delegate/kernels/conv_kernel.h"
#include "delegate/kernels/cpu_features.h"
#include "delegate/version.h"

namespace py = pybind11;

namespace tflite_eq {

Algorithm ParseAlgorithm(const std::string& name) {
  Algorithm algorithm;
  if (!AlgorithmFromName(name.c_str(), &algorithm)) throw py::value_error("there is no kernel named " + name);
  return algorithm;
}

Isa ParseIsa(const std::string& name) {
  Isa isa;
  if (!IsaFromName(name.c_str(), &isa)) throw py::value_error("there is no instruction set named " + name);
  return isa;
}

namespace {

std::vector<std::pair<std::string, std::string>> Kernels() {
  std::vector<std::pair<std::string, std::string>> names;
  for (int algorithm = 0; algorithm < kAlgorithmCount; ++algorithm) {
    for (int isa = 0; isa < kIsaCount; ++isa) {
      const ConvKernel* kernel = FindKernel(static_cast<Algorithm>(algorithm), static_cast<Isa>(isa));
      if (kernel != nullptr) names.emplace_back(AlgorithmName(kernel->algorithm), IsaName(kernel->isa));
    }
  }
  return names;
}

}  // namespace

PYBIND11_MODULE(_kernels, m) {
  m.doc() = "The delegate's kernels, one convolution at a time, and the proofs and decisions around them.";
  m.attr("__version__") = kVersion;
  m.def("kernels", Kernels);
  m.def("cpu_supports", [](const std::string& isa) { return CpuSupports(ParseIsa(isa)); }, py::arg("isa"));
  BindArithmetic(m);
  BindTransforms(m);
  BindConvolution(m);
  BindModel(m);
}

}  // namespace tflite_eq
