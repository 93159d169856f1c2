// The inputs of a model: their shapes, and random values for them.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_MODEL_INPUTS_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_MODEL_INPUTS_H_

#include "delegate/benchmark/flags.h"
#include "delegate/benchmark/list.h"
#include "delegate/benchmark/tflite_c_api.h"

namespace tflite_eq {

// What the flags --input_layer, --input_layer_shape and --input_layer_value_range say.
class InputOptions {
 public:
  bool Parse(const Flags& flags, Message* error);

  // Gives inputs the shapes asked for. False with a message when an input is unknown, when the runtime refuses a shape, or
  // when the model leaves a shape open and nothing was asked for. An open batch alone is taken as one.
  bool Resize(const TfliteCApi& api, TfLiteInterpreter* interpreter, Message* error) const;

  // Of the next input in the model's order, instead of what the flags say; up to 8 dimensions, none of a single value.
  void FixShape(const int32_t* dims, int rank);

  // Random values: integers over their type's range (32 and 64 bits: 0 to 99), floats in [-1, 1), or the range asked for. The
  // same values for the same seed. False with a message when a type is unknown here or an input has no memory.
  bool Fill(const TfliteCApi& api, TfLiteInterpreter* interpreter, uint64_t seed, Message* error) const;

 private:
  static constexpr int kMostDimensions = 8;
  // A part of the command line.
  struct Name {
    const char* text = nullptr;
    int length = 0;
    bool Equals(const char* other) const {
      return other != nullptr && strlen(other) == static_cast<size_t>(length) && strncmp(text, other, length) == 0;
    }
  };
  struct Shape {
    Name name;
    int dims[kMostDimensions] = {};
    int size = 0;
  };
  struct Range {
    Name name;
    double low = 0;
    double high = 0;
  };

  bool ParseShapes(const char* names, const char* shapes, Message* error);
  bool ParseRanges(const char* text, Message* error);
  bool Exists(const Name& name, const TfliteCApi& api, TfLiteInterpreter* interpreter, Message* error) const;
  bool FillTensor(TfLiteTensor* tensor, uint64_t seed, Message* error) const;

  List<Shape> shapes_;
  List<Shape> fixed_;  // by input
  List<Range> ranges_;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_MODEL_INPUTS_H_
