#include "delegate/benchmark/model_outputs.h"

namespace tflite_eq {

bool ModelOutputs::Take(const Session& session) {
  if (!outputs_.Allocate(session.outputs())) return false;
  for (int i = 0; i < outputs_.size(); ++i) {
    const TfLiteTensor& tensor = session.output(i);
    Output& output = outputs_[i];
    snprintf(output.name, sizeof(output.name), "%s", tensor.name != nullptr ? tensor.name : "");
    output.type = tensor.type;
    output.bytes = tensor.data.raw != nullptr ? tensor.bytes : 0;
    if (!output.data.Allocate(output.bytes)) return false;
    if (output.bytes > 0) memcpy(output.data.as<void>(), tensor.data.raw, output.bytes);
  }
  return true;
}

bool ModelOutputs::Equal(const ModelOutputs& other, Message* difference) const {
  for (int i = 0; i < outputs_.size(); ++i) {
    const Output& mine = outputs_[i];
    const Output& theirs = other.outputs_[i];
    if (mine.bytes != theirs.bytes) {
      difference->Set("output %d (%s) has %zu bytes instead of %zu", i, mine.name, mine.bytes, theirs.bytes);
      return false;
    }
    for (size_t k = 0; k < mine.bytes; ++k) {
      const int value = mine.data.as<int8_t>()[k];
      const int expected = theirs.data.as<int8_t>()[k];
      if (value == expected) continue;
      difference->Set("output %d (%s), %s %zu: %d instead of %d", i, mine.name, mine.type == kTfLiteInt8 ? "code" : "byte", k,
                      value, expected);
      return false;
    }
  }
  return true;
}

ModelOutputs::Count ModelOutputs::CountDifferences(const ModelOutputs& other) const {
  Count count;
  for (int i = 0; i < outputs_.size(); ++i) {
    const Output& mine = outputs_[i];
    const Output& theirs = other.outputs_[i];
    for (size_t k = 0; k < mine.bytes && k < theirs.bytes; ++k) {
      count.different += mine.data.as<int8_t>()[k] != theirs.data.as<int8_t>()[k];
    }
    count.all += static_cast<int64_t>(mine.bytes);
  }
  return count;
}

}  // namespace tflite_eq
