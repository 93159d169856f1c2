// Looks at a .tflite file before the runtime does, for two reasons: the runtime only says that a model cannot be loaded, not why,
// and not every one of them survives every damaged file.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_MODEL_FILE_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_MODEL_FILE_H_

#include <stddef.h>
#include <stdint.h>

#include "delegate/benchmark/message.h"

namespace tflite_eq {

// True when the file is a TFLite flatbuffer whose graph lies within it: tables, vectors, weights, and the indices of tensors,
// buffers and operator codes. What operators mean is for the runtime to judge. False with a message that names the file.
bool CheckModelFile(const char* path, Message* error);

// The same for bytes in memory; the message does not name a file.
bool CheckModel(const uint8_t* data, size_t size, Message* error);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_MODEL_FILE_H_
