// TFLite's parameter structures, made of the options that a model file has for an operator.
#ifndef TFLITE_EQ_DELEGATE_PYTHON_PARAMETERS_H_
#define TFLITE_EQ_DELEGATE_PYTHON_PARAMETERS_H_

#include <pybind11/pybind11.h>

#include <memory>

#include "delegate/ops/registry.h"

namespace tflite_eq {

// What the runtime hands over with a node of this kind: zeros for options that the file leaves out, and null for operators without
// parameters. `options` by the schema's names. Throws ValueError for a value that no such option has.
std::shared_ptr<void> MakeParameters(const OperatorKind& kind, const pybind11::dict& options);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_PYTHON_PARAMETERS_H_
