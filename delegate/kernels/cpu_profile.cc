#include "delegate/kernels/cpu_profile.h"

namespace tflite_eq {
namespace {

// Operators without weights, in nanoseconds for a value, times the multiplications of a nanosecond. The runtime's are those of
// LiteRT 2.3 on Zen 4 (docs/speed.md): RELU and its kin, PRELU, HARD_SWISH and AVERAGE_POOL_2D have no int8 kernel in XNNPACK and are
// computed value by value, which takes ten to a hundred times as long as here, on any CPU. The kernels' own are measured there, too.
// In the order of SimpleOperator: RELU, LEAKY_RELU, HARD_SWISH, QUANTIZE, PRELU, ADD, MUL, MAX_POOL, AVERAGE_POOL, copies, RESHAPE; MEAN,
// RESIZE_BILINEAR, RESIZE_NEAREST_NEIGHBOR, TRANSPOSE, SLICE and its kin, STRIDED_SLICE with steps, MIRROR_PAD, LOGISTIC and TANH, MAXIMUM
// and MINIMUM. The last nine are minima of 60 runs in turns with LiteRT 2.3 on Zen 4, of 56x56x96 values (delegate/README.md).
#define TFLITE_EQ_AVX512_SIMPLE(m) \
  { \
    {.02 * m, 8.4 * m}, {.02 * m, .1 * m}, {.02 * m, 2.7 * m}, {.02 * m, .1 * m}, {.08 * m, 7.8 * m}, {.1 * m, .08 * m}, \
        {.21 * m, .11 * m}, {.04 * m, .15 * m}, {.08 * m, .95 * m}, {.07 * m, .13 * m}, {.001 * m, .001 * m}, \
        {.02 * m, .08 * m}, {.23 * m, 2.8 * m}, {.03 * m, .12 * m}, {.7 * m, .58 * m}, {.06 * m, .06 * m}, \
        {.04 * m, 4.4 * m}, {.05 * m, 7.4 * m}, {.03 * m, .3 * m}, {.06 * m, .03 * m} \
  }
#define TFLITE_EQ_AVX2_SIMPLE(m) \
  { \
    {.06 * m, 8.4 * m}, {.06 * m, .1 * m}, {.06 * m, 2.7 * m}, {.06 * m, .1 * m}, {.13 * m, 7.8 * m}, {.11 * m, .12 * m}, \
        {.4 * m, .15 * m}, {.07 * m, .15 * m}, {.16 * m, .95 * m}, {.1 * m, .13 * m}, {.001 * m, .001 * m}, \
        {.02 * m, .08 * m}, {.23 * m, 2.8 * m}, {.03 * m, .12 * m}, {.7 * m, .58 * m}, {.06 * m, .06 * m}, \
        {.04 * m, 4.4 * m}, {.05 * m, 7.4 * m}, {.13 * m, .3 * m}, {.06 * m, .03 * m} \
  }
// Not measured: the runtime's loop over values taken to be 35 instructions at two a cycle, the kernels by llvm-mca; `m` multiplications
// a cycle. The others are left alone.
#define TFLITE_EQ_NEON_SIMPLE(m) \
  { \
    {.5 * m, 16 * m}, {}, {.5 * m, 16 * m}, {}, {3 * m, 18 * m}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {} \
  }

// Likewise for Cortex-A53, 3 multiplications a cycle: estimated cycles for a value (docs/arm64.md). A table takes 2.5, four lookups in 64
// bytes each; XNNPACK's LEAKY_RELU 2.1. Max-pools, for a value that is read: 1 and 1.6.
#define TFLITE_EQ_NEON_IN_ORDER_SIMPLE(m) \
  { \
    {2.5 * m, 16 * m}, {2.5 * m, 2.1 * m}, {2.5 * m, 16 * m}, {}, {9 * m, 18 * m}, {}, {}, {1 * m, 1.6 * m}, {}, {}, {}, {}, {}, {}, {}, \
        {}, {}, {}, {}, {} \
  }

// Measured on AMD EPYC (Zen 4), 512-bit instructions in two halves: chains of five 3x3 layers of 32 to 256 channels and 4x4 to
// 56x56 pixels against LiteRT 2.3 (delegate/benchmark/compare.py --layer), where XNNPACK does 216 multiplications a nanosecond.
// F(4,3) takes .33 ns for a product of channels of a tile and 3.4 for a channel, 3.0 in its form for few channels. A layer whose data come
// from memory takes longer by what its bytes take at 20 GB/s. A switch takes up to 26 us, growing with the tensors; with two threads 50
// and more. Two layers of squeezenet1_1 that save 16 us each gained its whole nothing. XNNPACK does 18.3 depthwise multiplications a nanosecond; the kernel here
// takes .43 ns for 16 outputs, .14 for each tap and .55 for the inputs of each (compare.py --depthwise). The direct kernel does
// 222 multiplications a nanosecond and takes .07 for an output where XNNPACK takes .125 (1x1 layers of 16 to 512 channels).
constexpr CpuCosts kOneVnniUnit = {
    /*f43=*/{72, 736}, /*f43_few_channels=*/{72, 650}, /*f23=*/{}, /*triplets=*/{6.15, 15}, /*two_taps=*/{7, 21},
    /*direct=*/{.98, 15, 1.8, 27}, /*direct_int7=*/{},
    /*depthwise=*/{11.8, 5.8, 1.9, 7.4},
    /*amx=*/{},
    /*byte=*/10.8,     /*delegate_switch=*/6e6, /*wake=*/8e6, /*simple=*/TFLITE_EQ_AVX512_SIMPLE(216)};

// Winograd kernels, bytes and switches: measured on Intel Emerald Rapids in a virtual machine, without AMX: the layers of
// delegate/README.md, XNNPACK 229 multiplications a nanosecond. The weights of 7x7x512 came at 12 GB/s. A switch with two threads took
// 40 us. F(4,3) for few channels: by its loads. The others: least squares over 190 layers on an Intel server core with AMX (504 MiB of
// third-level cache), minima of 30 runs in turns with LiteRT 2.3 on AVX-512 VNNI, where that does 268 multiplications a nanosecond. The
// direct kernel does 350 and takes .09 ns for an output, XNNPACK .11; of depthwise multiplications XNNPACK does 15.6 a nanosecond. On AMX
// (96 layers, 1x1 and 3x3, 7x7 to 112x112, 8 to 512 channels; half are within 8 %, the worst within 43 %) it does 1500 multiplications a
// nanosecond, but takes 9.2 ns for each of its rows, which are output pixels by sixteens, and 2.2 for each tap of one. Transposed
// convolutions: ops/transpose_conv.cc.
constexpr CpuCosts kTwoVnniUnits = {
    /*f43=*/{68, 900}, /*f43_few_channels=*/{85, 900}, /*f23=*/{}, /*triplets=*/{4.12, 30}, /*two_taps=*/{5.3, 20},
    /*direct=*/{.75, 25, 3, 30}, /*direct_int7=*/{},
    /*depthwise=*/{17, 13, 1.8, 19},
    /*amx=*/{2465, 585, 20, .18, 5, 3.2e5},
    /*byte=*/19,       /*delegate_switch=*/3e6, /*wake=*/8e6, /*simple=*/TFLITE_EQ_AVX512_SIMPLE(268)};

// Measured on the same machine, XNNPACK with its AVX2 kernels: 48 multiplications a nanosecond. Bytes and switches take the same
// time as there, in which fewer multiplications are done. The one-dimensional kernel is not written for AVX2.
// Direct, measured on Zen 4 against XNNPACK's AVX2 kernels there (60 multiplications a nanosecond, .25 ns for a value written): 82 and 115
// multiplications a nanosecond, .26 and .32 ns for a value.
// Depthwise, measured on Zen 4: XNNPACK's AVX-512 kernel, whose instructions take two passes there, so that AVX2 is not faster.
constexpr CpuCosts kAvx2 = {
    /*f43=*/{29.4, 281}, /*f43_few_channels=*/{}, /*f23=*/{13, 125}, /*triplets=*/{}, /*two_taps=*/{},
    /*direct=*/{.73, 16, 1, 15}, /*direct_int7=*/{.52, 19, 2, 15},
    /*depthwise=*/{2.6, 5.3, .92, 2},
    /*amx=*/{},
    /*byte=*/4,          /*delegate_switch=*/1e6, /*wake=*/2.5e6, /*simple=*/TFLITE_EQ_AVX2_SIMPLE(48)};

// Not measured: XNNPACK taken to be twice as fast as with AVX2. Depthwise that leaves nothing to gain.
constexpr CpuCosts kAvx2AgainstAvx512 = {
    /*f43=*/{59, 562}, /*f43_few_channels=*/{}, /*f23=*/{26, 250}, /*triplets=*/{}, /*two_taps=*/{},
    /*direct=*/{1.46, 32, 2, 30}, /*direct_int7=*/{1.04, 38, 4, 30},
    /*depthwise=*/{},
    /*amx=*/{},
    /*byte=*/8,        /*delegate_switch=*/2e6, /*wake=*/5e6, /*simple=*/TFLITE_EQ_AVX2_SIMPLE(96)};

// Estimated for Cortex-A72 (docs/arm64.md), 8 multiplications a cycle. The direct kernel saves what XNNPACK pads few channels with: first
// layers (7x7x3->64 20.9 for 55.6 million cycles, 3x3x3->16 7.1 for 13.1); 1x1 layers take 4 % longer. Bytes: 7 GB/s. A switch is taken to
// need three times the cycles of Zen 4's; waking a thread 0.2 ms. F(2,3) would save nothing there. Depthwise was neither measured nor
// estimated, here and below.
constexpr CpuCosts kNeon = {
    /*f43=*/{72, 246}, /*f43_few_channels=*/{}, /*f23=*/{}, /*triplets=*/{}, /*two_taps=*/{},
    /*direct=*/{1.03, 33, 2, 30}, /*direct_int7=*/{1.03, 33, 2, 30},
    /*depthwise=*/{},
    /*amx=*/{},
    /*byte=*/2,        /*delegate_switch=*/1.5e6, /*wake=*/3e6, /*simple=*/TFLITE_EQ_NEON_SIMPLE(8)};

// Estimated for Cortex-A53 (docs/arm64.md), layer by layer, XNNPACK's kernel for that core at 2.95 multiplications a cycle and 3.7 cycles
// for a value that it writes.
constexpr CpuCosts kNeonInOrder = {
    /*f43=*/{37, 400}, /*f43_few_channels=*/{}, /*f23=*/{}, /*triplets=*/{}, /*two_taps=*/{},
    /*direct=*/{.58, 27, 2, 11}, /*direct_int7=*/{.43, 27, 2, 11},
    /*depthwise=*/{3, 8.5, .9, 3.5},
    /*amx=*/{},
    /*byte=*/2,        /*delegate_switch=*/6e5, /*wake=*/1.2e6, /*simple=*/TFLITE_EQ_NEON_IN_ORDER_SIMPLE(3)};

// Likewise for Cortex-A76 with dot products, 28 multiplications a cycle; triplets are those of ResNet-18's layers, two taps those of
// tiny_darknet's, which write more than they read. Bytes: 9 GB/s. Waking a thread: 0.1 ms.
constexpr CpuCosts kNeonDotprod = {
    /*f43=*/{}, /*f43_few_channels=*/{}, /*f23=*/{}, /*triplets=*/{5.4, 62}, /*two_taps=*/{7, 107},
    /*direct=*/{}, /*direct_int7=*/{},
    /*depthwise=*/{},
    /*amx=*/{},
    /*byte=*/8, /*delegate_switch=*/4.5e6, /*wake=*/7.2e6, /*simple=*/TFLITE_EQ_NEON_SIMPLE(30)};

// Likewise for Neoverse N2 with smmla, 60 multiplications a cycle. Bytes: 17 GB/s.
constexpr CpuCosts kNeonI8mm = {
    /*f43=*/{}, /*f43_few_channels=*/{}, /*f23=*/{}, /*triplets=*/{5.2, 43}, /*two_taps=*/{6.5, 43},
    /*direct=*/{}, /*direct_int7=*/{},
    /*depthwise=*/{},
    /*amx=*/{},
    /*byte=*/10, /*delegate_switch=*/9e6, /*wake=*/17e6, /*simple=*/TFLITE_EQ_NEON_SIMPLE(60)};

#undef TFLITE_EQ_AVX512_SIMPLE
#undef TFLITE_EQ_AVX2_SIMPLE
#undef TFLITE_EQ_NEON_SIMPLE
#undef TFLITE_EQ_NEON_IN_ORDER_SIMPLE

}  // namespace

const char* PeerInstructions(const CpuProfile& cpu) {
  switch (cpu.peer) {
    case Peer::kSameInstructions:
      break;
    case Peer::kAvx512:
      return "AVX-512";
    case Peer::kAvxVnni:
      return "AVX-VNNI";
    case Peer::kAmx:
      return "AMX";
    case Peer::kSme:
      return "SME";
  }
  if (Includes(cpu.isa, Isa::kAvx512Vnni)) return "AVX-512 VNNI";
  if (Includes(cpu.isa, Isa::kAvx2)) return "AVX2";
  if (Includes(cpu.isa, Isa::kNeonI8mm)) return "NEON i8mm";
  if (Includes(cpu.isa, Isa::kNeonDotprod)) return "NEON dot products";
  if (Includes(cpu.isa, Isa::kNeon)) return "NEON";
  return "no vectors, or unknown ones";
}

const CpuCosts& CostsOf(const CpuProfile& cpu) {
  if (Includes(cpu.isa, Isa::kAvx512Vnni)) return cpu.two_vnni_units ? kTwoVnniUnits : kOneVnniUnit;
  if (Includes(cpu.isa, Isa::kAvx2)) return cpu.peer == Peer::kAvx512 ? kAvx2AgainstAvx512 : kAvx2;
  if (Includes(cpu.isa, Isa::kNeonI8mm)) return kNeonI8mm;
  if (Includes(cpu.isa, Isa::kNeonDotprod)) return kNeonDotprod;
  if (Includes(cpu.isa, Isa::kNeon) && cpu.in_order) return kNeonInOrder;
  return kNeon;
}

}  // namespace tflite_eq
