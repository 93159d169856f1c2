// The outputs of a model, kept and compared.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_MODEL_OUTPUTS_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_MODEL_OUTPUTS_H_

#include "delegate/array.h"
#include "delegate/benchmark/message.h"
#include "delegate/benchmark/session.h"
#include "delegate/kernels/buffer.h"

namespace tflite_eq {

class ModelOutputs {
 public:
  // A copy of what the last inference computed. False when memory runs out.
  bool Take(const Session& session);

  // Whether all bytes are equal; if not, a message with the first difference: the output's name, the position, both values.
  bool Equal(const ModelOutputs& other, Message* difference) const;

  // How many bytes differ, and of how many; for int8 outputs these are codes.
  struct Count {
    int64_t different = 0;
    int64_t all = 0;
  };
  Count CountDifferences(const ModelOutputs& other) const;

 private:
  struct Output {
    char name[96] = "";
    int32_t type = kTfLiteNoType;
    size_t bytes = 0;
    Buffer data;
  };
  Array<Output> outputs_;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_MODEL_OUTPUTS_H_
