// TFLite's parameter structures, made of the options that a model file has for an operator.
#ifndef TFLITE_EQ_DELEGATE_PYTHON_PARAMETERS_H_
#define TFLITE_EQ_DELEGATE_PYTHON_PARAMETERS_H_

#include <stdlib.h>

#include "delegate/ops/registry.h"
#include "delegate/python/kernels_api.h"

namespace tflite_eq {

// What the runtime hands over with a node: zeros for options that the file leaves out, and null for operators without parameters.
class Parameters {
 public:
  Parameters() = default;
  Parameters(const Parameters&) = delete;
  Parameters& operator=(const Parameters&) = delete;
  ~Parameters() { free(made_); }

  // Once. A Status; refuses a value that no such option has.
  int32_t Make(const OperatorKind& kind, const EqNode& node, Reason* reason);
  void* get() const { return made_; }

 private:
  void* made_ = nullptr;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_PYTHON_PARAMETERS_H_
