// Whether the sign flips in XNNPACK's int8 kernel cost time on this CPU: measured, for nothing a CPU says of itself tells.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_VNNI_PROBE_H_
#define TFLITE_EQ_DELEGATE_KERNELS_VNNI_PROBE_H_

namespace tflite_eq {

// Times of two vpdpbusd and a vpxord over those of the two vpdpbusd alone, all of 512 bits and independent of each other: the
// quotients of `count` measurements next to each other, 0 for one that an interrupt made useless. Only for CPUs that support
// Isa::kAvx512Vnni.
void MeasureSignFlips(double* quotients, int count);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_VNNI_PROBE_H_
