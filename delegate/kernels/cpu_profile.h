// What the selection policy knows about a CPU; the running one's or, for `explain`, another's.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_CPU_PROFILE_H_
#define TFLITE_EQ_DELEGATE_KERNELS_CPU_PROFILE_H_

#include "delegate/kernels/conv_types.h"

namespace tflite_eq {

// What XNNPACK's int8 kernels compute with in this process. The rule that a claimed layer is no slower than the runtime alone
// depends on it as much as on the kernels here.
enum class Peer {
  kSameInstructions,
  // AVX-512 without VNNI, twice as wide as the AVX2 that the kernels here have on such CPUs.
  kAvx512,
  // VNNI of 256 bits without AVX-512, as Intel's client CPUs have it; the library has no kernels for it.
  kAvxVnni,
  // Units that multiply matrices of int8, an order of magnitude faster than vectors do: of Intel's server CPUs from Sapphire Rapids
  // on, and of ARM's with SME or SME2 (KleidiAI).
  kAmx,
  kSme,
};

struct CpuProfile {
  // What it has, to be asked with Includes: it may be more than any named set.
  Isa isa = Isa::kScalar;
  // Two 512-bit VNNI units, which share their ports with all other 512-bit instructions, as in Intel's server cores. XNNPACK's
  // int8 kernel spends one vector instruction flipping signs for every two dot products; with one unit that is hidden, with
  // two it takes a third of the time, which the direct kernel here does not pay.
  bool two_vnni_units = false;
  Peer peer = Peer::kSameInstructions;
  // That a layer is computed with.
  int threads = 1;
  // Without dot products: all cores issue instructions in order, as Cortex-A53 does. XNNPACK multiplies less than half as much in a
  // cycle there as on Cortex-A72, and the kernels here nearly as much.
  bool in_order = false;
};

// The instructions of XNNPACK's int8 kernels, such as "AVX-512 VNNI".
const char* PeerInstructions(const CpuProfile& cpu);

// Operators without weights, by what they cost.
enum class SimpleOperator {
  kRelu,         // RELU, RELU6 and RELU_N1_TO_1 that are not fused
  kLeakyRelu,
  kHardSwish,
  kRequantize,   // QUANTIZE from int8 to int8
  kPrelu,
  kAdd,          // and SUB
  kMul,
  kMaxPool,
  kAveragePool,
  kCopy,         // PAD, CONCATENATION, PACK
  kReshape,
  kMean,
  kResizeBilinear,
  kResizeNearest,
  kTranspose,
  kSlice,        // SLICE, SPLIT, UNPACK, SPACE_TO_DEPTH and the like: copies of parts
  kStridedSlice, // STRIDED_SLICE with steps
  kMirrorPad,
  kSigmoid,      // LOGISTIC, TANH
  kExtremum,     // MAXIMUM, MINIMUM
};
inline constexpr int kSimpleOperators = 20;

// Times on a CPU, in multiplications that XNNPACK's int8 kernel does meanwhile: what matters is how kernels compare, not how fast
// the clock is. Each row of the table in cpu_profile.cc names its origin.
struct CpuCosts {
  // A kernel's time is linear in what it multiplies and what it transforms; per tile of 4x4 or 2x2 outputs, or per output pixel
  // of the one-dimensional kernel:
  //   multiply * input channels * output channels + transform * (input channels + output channels)
  struct Kernel {
    double multiply;
    double transform;
  };
  // Zeros for kernels that the policy never takes on the CPU. F(4,3) for AVX-512 has a form for few input channels.
  Kernel f43;
  Kernel f43_few_channels;
  Kernel f23;
  Kernel triplets;  // 1-D F(2,3), sums of taps in int8
  Kernel two_taps;  // its form without conditions
  // Of the direct kernels, for any codes and for 7-bit ones: for a multiplication, for a value that is written, and for one that is read:
  // once where products are summed by fours (VNNI, where 7-bit codes have no kernel of their own), else once for each output that it
  // is gathered for. `peer` is what XNNPACK takes for a value that it writes. Zeros where XNNPACK multiplies as fast, or where it was
  // neither measured nor estimated.
  struct Direct {
    double multiply;
    double output;
    double input;
    double peer;
  };
  Direct direct;
  Direct direct_int7;
  // Of a depthwise convolution: XNNPACK's time for a multiplication, and that of the kernel here for each output of a channel, each of
  // its taps, and each input that is prepared for it. Zeros where neither was measured.
  struct Depthwise {
    double peer;
    double output;
    double tap;
    double input;
  };
  Depthwise depthwise;
  // XNNPACK's time with a unit that multiplies matrices, for a layer that is not depthwise: for each row that the unit takes, each filter
  // tap of it, each value that is written, each product, each weight, and for the layer. Zeros where there is no such unit or it was not measured.
  struct Matrix {
    double row;
    double tap;
    double output;
    double product;
    double weight;
    double layer;
  };
  Matrix amx;
  // To fetch a byte of weights or scratch that other layers have driven out of the caches.
  double byte;
  // Claiming nodes in the middle of what XNNPACK runs cuts its subgraph in two: each is set up anew at every invocation, and
  // tensors change hands.
  double delegate_switch;
  // With several threads, either side finds the other's threads on the cores and its own asleep.
  double wake;
  // Of an operator without weights, for each value that it writes, or reads if it is a pool: the time of the kernels here, and the
  // runtime's. Zeros where neither was measured: the policy leaves the operator then.
  struct Simple {
    double own;
    double peer;
  };
  Simple simple[kSimpleOperators];
  const Simple& of(SimpleOperator kind) const { return simple[static_cast<int>(kind)]; }
};

const CpuCosts& CostsOf(const CpuProfile& cpu);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_CPU_PROFILE_H_
