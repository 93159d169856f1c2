// One convolution: its certificates, its plan on any CPU, and its result by any kernel this machine runs.
#include <string.h>

#include <memory>
#include <optional>
#include <vector>

#include "delegate/kernels/conv_kernel.h"
#include "delegate/kernels/cpu_features.h"
#include "delegate/kernels/geometry.h"
#include "delegate/kernels/plan.h"
#include "delegate/kernels/prepared_conv.h"
#include "delegate/python/module.h"
#include "delegate/worker_pool.h"

namespace py = pybind11;

namespace tflite_eq {
namespace {

using Pair = std::pair<int, int>;

constexpr int kMostThreads = 256;

void Require(bool condition, const char* message) {
  if (!condition) throw py::value_error(message);
}

const char* FormName(Winograd1dForm form) {
  switch (form) {
    case Winograd1dForm::kHalveSums:
      return "halve_sums";
    case Winograd1dForm::kHalveWeights:
      return "halve_weights";
    case Winograd1dForm::kTwoTaps:
      return "two_taps";
    case Winograd1dForm::kNone:
      break;
  }
  return "none";
}

class Convolution {
 public:
  Convolution(const InputArray<int8_t>& filter, const std::optional<InputArray<int32_t>>& bias,
              const InputArray<int32_t>& multiplier, const InputArray<int32_t>& shift, std::tuple<int, int, int> input_size,
              const std::string& padding, Pair stride, Pair dilation, int input_zero_point, int output_zero_point,
              Pair activation_range) {
    Require(filter.ndim() == 4 && filter.size() > 0, "filter must have the shape [outputs, height, width, inputs]");
    ConvShape& s = problem_.shape;
    s.output_channels = static_cast<int>(filter.shape(0));
    s.filter_height = static_cast<int>(filter.shape(1));
    s.filter_width = static_cast<int>(filter.shape(2));
    s.input_channels = static_cast<int>(filter.shape(3));
    std::tie(s.batch, s.input_height, s.input_width) = input_size;
    std::tie(s.stride_height, s.stride_width) = stride;
    std::tie(s.dilation_height, s.dilation_width) = dilation;
    Require(s.batch > 0 && s.input_height > 0 && s.input_width > 0, "input_size must be positive");
    Require(s.stride_height > 0 && s.stride_width > 0, "stride must be positive");
    Require(s.dilation_height > 0 && s.dilation_width > 0, "dilation must be positive");
    Require(padding == "same" || padding == "valid", "padding must be same or valid");
    Reason reason;
    Require(ResolvePadding(padding == "same" ? Padding::kSame : Padding::kValid, &s, &reason), reason.text);
    Require(s.output_height > 0 && s.output_width > 0, "the input is smaller than the filter");
    filter_.assign(filter.data(), filter.data() + filter.size());
    if (bias) bias_ = PerChannel(*bias, "bias must have one entry per output channel");
    multiplier_ = PerChannel(multiplier, "multiplier must have one entry per output channel");
    shift_ = PerChannel(shift, "shift must have one entry per output channel");
    for (int32_t value : multiplier_) Require(value >= 0, "multiplier must not be negative");
    for (int32_t value : shift_) Require(value >= -31 && value <= 30, "shift must be in [-31, 30]");
    ConvQuantization& q = problem_.quantization;
    q.input_zero_point = input_zero_point;
    q.output_zero_point = output_zero_point;
    Require(IsCode(input_zero_point) && IsCode(output_zero_point), "zero points must be in [-128, 127]");
    std::tie(q.activation_min, q.activation_max) = activation_range;
    Require(IsCode(q.activation_min) && IsCode(q.activation_max) && q.activation_min <= q.activation_max,
            "activation_range must be two ascending codes");
    q.multiplier = multiplier_.data();
    q.shift = shift_.data();
    problem_.weights = {filter_.data(), bias ? bias_.data() : nullptr};
  }
  Convolution(const Convolution&) = delete;

  std::tuple<int, int, int, int> output_shape() const {
    const ConvShape& s = problem_.shape;
    return {s.batch, s.output_height, s.output_width, s.output_channels};
  }

  py::array_t<int8_t> Run(const InputArray<int8_t>& input, const std::string& kernel, const std::string& isa,
                          int threads) const {
    const ConvShape& s = problem_.shape;
    Require(input.ndim() == 4 && input.shape(0) == s.batch && input.shape(1) == s.input_height &&
                input.shape(2) == s.input_width && input.shape(3) == s.input_channels,
            "input must have the shape [batch, height, width, inputs] the convolution was made for");
    Require(threads >= 1 && threads <= kMostThreads, "threads must be in [1, 256]");
    WorkerPool pool;
    pool.Start(threads);
    PreparedConv conv;
    Reason reason;
    if (!conv.Prepare(problem_, ParseAlgorithm(kernel), ParseIsa(isa), pool.workers(), &reason)) {
      throw py::value_error(reason.text);
    }
    Buffer scratch;
    if (!scratch.Allocate(conv.scratch_bytes())) throw std::bad_alloc();
    py::array_t<int8_t> output({s.batch, s.output_height, s.output_width, s.output_channels});
    int8_t* result = output.mutable_data();
    const int8_t* codes = input.data();
    {
      py::gil_scoped_release others_may_run;
      conv.Run(codes, result, scratch.as<void>(), &pool);
    }
    return output;
  }

  std::optional<std::string> Refusal(const std::string& kernel, const std::string& isa) const {
    const Plan plan = ForceKernel(problem_, ParseAlgorithm(kernel), ParseIsa(isa));
    if (plan.claim) return std::nullopt;
    return plan.reason.text;
  }

  Plan PlanFor(const CpuProfile& cpu) const { return ChooseKernel(problem_, cpu); }

  py::array_t<int64_t> AccumulatorRanges() const {
    py::array_t<int64_t> ranges({problem_.shape.output_channels, 2});
    for (int channel = 0; channel < problem_.shape.output_channels; ++channel) {
      const AccumulatorRange range = ChannelRange(problem_, channel);
      *ranges.mutable_data(channel, 0) = range.min;
      *ranges.mutable_data(channel, 1) = range.max;
    }
    return ranges;
  }

  std::vector<std::string> Winograd1dForms() const {
    Require(problem_.shape.is_3x3_stride_1(), "not a 3x3 convolution with stride 1 and dilation 1");
    std::vector<std::string> forms;
    for (int channel = 0; channel < problem_.shape.output_channels; ++channel) {
      const int8_t* filter = filter_.data() + static_cast<size_t>(channel) * problem_.shape.filter_size();
      forms.push_back(FormName(ClassifyWinograd1d(filter, problem_.shape.input_channels)));
    }
    return forms;
  }

 private:
  static bool IsCode(int value) { return value >= -128 && value <= 127; }

  std::vector<int32_t> PerChannel(const InputArray<int32_t>& values, const char* message) const {
    Require(values.ndim() == 1 && values.shape(0) == problem_.shape.output_channels, message);
    return {values.data(), values.data() + values.size()};
  }

  ConvProblem problem_;
  std::vector<int8_t> filter_;
  std::vector<int32_t> bias_;
  std::vector<int32_t> multiplier_;
  std::vector<int32_t> shift_;
};

// Empty: the instructions that the delegate's own kernels have.
Peer ParsePeer(const std::string& instructions) {
  if (instructions.empty()) return Peer::kSameInstructions;
  for (Peer peer : {Peer::kAvx512, Peer::kAvxVnni, Peer::kAmx, Peer::kSme}) {
    if (instructions == PeerInstructions({Isa::kScalar, false, peer})) return peer;
  }
  throw py::value_error("no peer has " + instructions + "; there are AVX-512, AVX-VNNI, AMX and SME");
}

}  // namespace

void BindConvolution(py::module_& m) {
  py::class_<CpuProfile>(m, "Cpu")
      .def(py::init([](const std::string& isa, bool two_vnni_units, const std::string& peer, bool in_order) {
             return CpuProfile{ParseIsa(isa), two_vnni_units, ParsePeer(peer), /*threads=*/1, in_order};
           }),
           py::arg("isa"), py::arg("two_vnni_units") = false, py::arg("peer") = "", py::arg("in_order") = false)
      .def_static("detect", DetectCpu)
      .def_property_readonly("isa", [](const CpuProfile& cpu) { return IsaName(cpu.isa); })
      .def_readonly("two_vnni_units", &CpuProfile::two_vnni_units)
      .def_readonly("in_order", &CpuProfile::in_order)
      .def_property_readonly("peer", PeerInstructions);

  py::class_<Plan>(m, "Plan")
      .def_readonly("claim", &Plan::claim)
      .def_property_readonly("kernel", [](const Plan& plan) { return AlgorithmName(plan.algorithm); })
      .def_property_readonly("isa", [](const Plan& plan) { return IsaName(plan.isa); })
      .def_property_readonly("reason", [](const Plan& plan) { return plan.reason.text; });

  py::class_<Convolution>(m, "Convolution")
      .def(py::init<const InputArray<int8_t>&, const std::optional<InputArray<int32_t>>&, const InputArray<int32_t>&,
                    const InputArray<int32_t>&, std::tuple<int, int, int>, const std::string&, Pair, Pair, int, int, Pair>(),
           py::arg("filter"), py::arg("bias"), py::arg("multiplier"), py::arg("shift"), py::kw_only(),
           py::arg("input_size"), py::arg("padding") = "same", py::arg("stride") = Pair(1, 1),
           py::arg("dilation") = Pair(1, 1), py::arg("input_zero_point") = 0, py::arg("output_zero_point") = 0,
           py::arg("activation_range") = Pair(-128, 127))
      .def_property_readonly("output_shape", &Convolution::output_shape)
      .def("run", &Convolution::Run, py::arg("input"), py::arg("kernel") = "reference", py::arg("isa") = "scalar",
           py::arg("threads") = 1)
      .def("refusal", &Convolution::Refusal, py::arg("kernel"), py::arg("isa") = "scalar")
      .def("plan", &Convolution::PlanFor, py::arg("cpu"))
      .def("accumulator_ranges", &Convolution::AccumulatorRanges)
      .def("winograd_1d_forms", &Convolution::Winograd1dForms);
}

}  // namespace tflite_eq
