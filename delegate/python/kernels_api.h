// The functions of libtflite_eq_kernels.so: the delegate's kernels one convolution at a time, and the proofs and decisions around
// them. Plain C types, so that one file serves every Python; tflite_eq/delegate/kernels.py calls them, documents them, and checks
// what is cheaper to check there, such as the sizes of arrays.
#ifndef TFLITE_EQ_DELEGATE_PYTHON_KERNELS_API_H_
#define TFLITE_EQ_DELEGATE_PYTHON_KERNELS_API_H_

#include <stddef.h>
#include <stdint.h>

#include "delegate/kernels/reason.h"

#define TFLITE_EQ_API extern "C" __attribute__((visibility("default")))

namespace tflite_eq {

// Anything but kDone leaves the results undefined.
enum Status : int32_t { kDone = 0, kRefused = 1, kOutOfMemory = 2 };  // a refusal has a reason

// Names are pointers to constants of the library, or the caller's for the length of a call.
struct EqCpu {
  const char* isa;
  int32_t two_vnni_units;
  const char* peer;
  int32_t in_order;
};

struct EqPlan {
  int32_t claim;
  const char* kernel;
  const char* isa;
  Reason reason;
};

// Everything is copied. Sizes of arrays follow from the filter's shape; all are at least 1.
struct EqConvolution {
  const int8_t* filter;  // [outputs, height, width, inputs]
  int32_t filter_shape[4];
  const int32_t* bias;        // or null
  const int32_t* multiplier;  // one per output, as the others
  const int32_t* shift;
  int32_t input_size[3];  // batch, height, width
  const char* padding;    // same, valid
  int32_t stride[2];
  int32_t dilation[2];
  int32_t input_zero_point;
  int32_t output_zero_point;
  int32_t activation_range[2];
};

struct EqTensor {
  const char* type;  // the schema's name
  const int32_t* shape;
  int32_t rank;
  const float* scales;
  int32_t scale_count;
  const int32_t* zero_points;
  int32_t zero_point_count;
  int32_t quantized_dimension;
  const void* data;  // null unless it is a constant
  size_t bytes;
  const char* name;
  int32_t variable;
  int32_t sparse;
};

// The value of a field of the schema's options table. Values of other types than these are kOther.
enum OptionType : int32_t { kIntOption, kFloatOption, kBoolOption, kIntsOption, kOtherOption };
struct EqOption {
  const char* name;
  int32_t type;
  int32_t count;       // of kIntsOption
  int64_t number;      // of kIntOption and kBoolOption
  double real;         // of kFloatOption
  const int32_t* list;  // of kIntsOption
};

struct EqNode {
  const char* kind;
  const int32_t* inputs;
  int32_t input_count;
  const int32_t* outputs;
  int32_t output_count;
  const EqOption* options;
  int32_t option_count;
};

struct EqDecision {
  int32_t node;
  const char* kind;
  int32_t claimed;
  double saved_multiplications;
  Reason reason;
};

}  // namespace tflite_eq

// names.cc
TFLITE_EQ_API const char* EqVersion();
// Kernel number `index` of those that the library holds; 0 behind the last.
TFLITE_EQ_API int32_t EqKernelAt(int32_t index, const char** kernel, const char** isa);
TFLITE_EQ_API int32_t EqCpuSupports(const char* isa, int32_t* answer, tflite_eq::Reason* reason);
// The peer is empty where it has the same instructions as the kernels here.
TFLITE_EQ_API void EqDetectCpu(tflite_eq::EqCpu* cpu);
// Replaces the names by the library's, an empty peer by what XNNPACK computes with on such a CPU.
TFLITE_EQ_API int32_t EqDescribeCpu(tflite_eq::EqCpu* cpu, tflite_eq::Reason* reason);

// arithmetic.cc
TFLITE_EQ_API double EqEffectiveScale(float input_scale, float weight_scale, float output_scale);
TFLITE_EQ_API int32_t EqQuantizeMultiplier(double scale, int32_t* multiplier, int32_t* shift, tflite_eq::Reason* reason);
TFLITE_EQ_API int32_t EqMultiply(const int32_t* accumulators, size_t count, int32_t multiplier, int32_t shift, int32_t* results,
                                 tflite_eq::Reason* reason);
TFLITE_EQ_API int32_t EqActivationRange(const char* activation, float scale, int32_t zero_point, int32_t range[2],
                                        tflite_eq::Reason* reason);

// transforms.cc
// Rows of a two-dimensional kernel's tiles before the output's transform, 6 or 4, and after it, 4 or 2.
TFLITE_EQ_API int32_t EqTileSizes(const char* kernel, int32_t sizes[2], tflite_eq::Reason* reason);
TFLITE_EQ_API int32_t EqTransformFilter(const char* kernel, const int8_t* weights, int16_t* result, tflite_eq::Reason* reason);
TFLITE_EQ_API int32_t EqTransformInput(const char* kernel, const int8_t* codes, int16_t* result, tflite_eq::Reason* reason);
TFLITE_EQ_API int32_t EqTransformOutput(const char* kernel, const int32_t* sums, int32_t* result, tflite_eq::Reason* reason);
TFLITE_EQ_API int32_t EqTransformTaps(const char* form, int32_t w0, int32_t w1, int32_t w2, int8_t taps[4],
                                      tflite_eq::Reason* reason);

// convolution.cc
namespace tflite_eq {
class Convolution;
}
TFLITE_EQ_API int32_t EqConvolutionCreate(const tflite_eq::EqConvolution* description, tflite_eq::Convolution** made,
                                          tflite_eq::Reason* reason);
TFLITE_EQ_API void EqConvolutionDelete(tflite_eq::Convolution* convolution);
TFLITE_EQ_API void EqConvolutionOutputShape(const tflite_eq::Convolution* convolution, int32_t shape[4]);
// Takes no lock: several threads may run one convolution at once.
TFLITE_EQ_API int32_t EqConvolutionRun(const tflite_eq::Convolution* convolution, const int8_t* input, const char* kernel,
                                       const char* isa, int32_t threads, int8_t* output, tflite_eq::Reason* reason);
// *exact: whether the kernel is; if not, the reason says why.
TFLITE_EQ_API int32_t EqConvolutionCertify(const tflite_eq::Convolution* convolution, const char* kernel, const char* isa,
                                           int32_t* exact, tflite_eq::Reason* reason);
TFLITE_EQ_API int32_t EqConvolutionPlan(const tflite_eq::Convolution* convolution, const tflite_eq::EqCpu* cpu,
                                        tflite_eq::EqPlan* plan, tflite_eq::Reason* reason);
TFLITE_EQ_API void EqConvolutionRanges(const tflite_eq::Convolution* convolution, int64_t (*ranges)[2]);
TFLITE_EQ_API int32_t EqConvolutionForms(const tflite_eq::Convolution* convolution, const char** forms, tflite_eq::Reason* reason);

// model.cc
// Schema name of operator number `index` of those that the library runs, by name; null behind the last.
TFLITE_EQ_API const char* EqOperatorAt(int32_t index);
// Refuses options whose values are of another type than the schema's.
TFLITE_EQ_API int32_t EqCheckNode(const tflite_eq::EqNode* node, tflite_eq::Reason* reason);
// At most one decision per node, in their order. `keys` and `values` are options of the delegate.
TFLITE_EQ_API int32_t EqSelect(const tflite_eq::EqTensor* tensors, int32_t tensor_count, const tflite_eq::EqNode* nodes,
                               int32_t node_count, const tflite_eq::EqCpu* cpu, int32_t threads, const char* const* keys,
                               const char* const* values, int32_t option_count, tflite_eq::EqDecision* decisions,
                               int32_t* decision_count, tflite_eq::Reason* reason);

#endif  // TFLITE_EQ_DELEGATE_PYTHON_KERNELS_API_H_
