// What names stand for. All return false with a reason when a name is unknown.
#ifndef TFLITE_EQ_DELEGATE_PYTHON_NAMES_H_
#define TFLITE_EQ_DELEGATE_PYTHON_NAMES_H_

#include "delegate/kernels/conv_types.h"
#include "delegate/kernels/cpu_profile.h"
#include "delegate/python/kernels_api.h"

namespace tflite_eq {

bool ParseAlgorithm(const char* name, Algorithm* algorithm, Reason* reason);
bool ParseIsa(const char* name, Isa* isa, Reason* reason);
bool ParseCpu(const EqCpu& described, CpuProfile* cpu, Reason* reason);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_PYTHON_NAMES_H_
