// What eq_benchmark does. Both measure and print, and return an ExitCode; the message is set unless it is kExitOk.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_MODES_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_MODES_H_

#include "delegate/benchmark/flags.h"
#include "delegate/benchmark/layer_chain.h"
#include "delegate/benchmark/list.h"

namespace tflite_eq {

// --graph: one model on a TFLite runtime, with and without the delegate.
int RunModelMode(const Flags& flags, Message* error);

// --layers: single convolutions by every kernel this CPU can run, in turns, without a model or a TFLite library.
int RunLayersMode(const Flags& flags, Message* error);

// "56x64x64,28x128x128x3x1": size, input channels, output channels, and, 3 and 1 unless given, filter and stride. False with a
// message.
bool ParseLayers(const char* text, List<LayerShape>* shapes, Message* error);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_MODES_H_
