#include "delegate/kernels/elementwise_avx512.h"

namespace tflite_eq {

const ElementwiseKernels kElementwiseAvx512 = {Isa::kAvx512Vnni, LookUp<Avx512>,      Add<Avx512>,
                                               Mul<Avx512>,      nullptr,       MaxPool<Avx512>,
                                               AveragePool<Avx512>, Mean<Avx512>, ResizeBilinear<Avx512>,
                                               AddOnLine<Avx512>, FollowChannelLines<Avx512>};

}  // namespace tflite_eq
