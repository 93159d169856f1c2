#include "delegate/benchmark/model_inputs.h"

#include <stdlib.h>

#include "delegate/benchmark/random.h"

namespace tflite_eq {
namespace {

const char* NameOf(const TfLiteTensor& tensor) { return tensor.name != nullptr ? tensor.name : ""; }

// Whether the model leaves more open than the batch, as -1.
bool IsOpen(const TfLiteIntArray* signature) {
  for (int i = 1; signature != nullptr && i < signature->size; ++i) {
    if (signature->data[i] < 0) return true;
  }
  return false;
}

// Integers: their size and range, and what is filled in unless a range is asked for. Wide ones are mostly indices, which must not be
// beyond a table.
struct IntegerType {
  int32_t type;
  size_t bytes;
  double least, most, low, high;
};
constexpr IntegerType kIntegerTypes[] = {
    {kTfLiteInt8, 1, -128, 127, -128, 127},
    {kTfLiteUInt8, 1, 0, 255, 0, 255},
    {kTfLiteBool, 1, 0, 1, 0, 1},
    {kTfLiteInt16, 2, -32768, 32767, -32768, 32767},
    {kTfLiteInt32, 4, -2147483648.0, 2147483647, 0, 99},
    {kTfLiteInt64, 8, -2147483648.0, 2147483647, 0, 99},
};

}  // namespace

bool InputOptions::Parse(const Flags& flags, Message* error) {
  return ParseShapes(flags.input_layer, flags.input_layer_shape, error) && ParseRanges(flags.input_layer_value_range, error);
}

bool InputOptions::ParseShapes(const char* names, const char* shapes, Message* error) {
  while (*names != '\0' && *shapes != '\0') {
    Shape shape;
    shape.name = {names, static_cast<int>(strcspn(names, ","))};
    names += shape.name.length + (names[shape.name.length] == ',');
    for (bool last = false; !last;) {
      char* end;
      const long size = strtol(shapes, &end, 10);
      if (end == shapes || size < 1 || size > 1 << 24 || shape.size == kMostDimensions ||
          (*end != ',' && *end != ':' && *end != '\0')) {
        return error->Set("--input_layer_shape: \"%.200s\" does not begin with one to %d sizes, as in 1,224,224,3", shapes,
                          kMostDimensions);
      }
      shape.dims[shape.size++] = static_cast<int>(size);
      last = *end != ',';
      shapes = end + (*end != '\0');
    }
    shapes_.Add(shape);
  }
  if (*names == '\0' && *shapes == '\0') return true;
  return error->Set("--input_layer and --input_layer_shape: more %s than %s", *names != '\0' ? "names" : "shapes",
                    *names != '\0' ? "shapes" : "names");
}

// "NAME,LOW,HIGH:NAME,LOW,HIGH". Names may hold colons ("input:0"), so each is what stands before the first two numbers.
bool InputOptions::ParseRanges(const char* text, Message* error) {
  while (*text != '\0') {
    Range range;
    const char* next = nullptr;
    for (const char* comma = strchr(text, ','); comma != nullptr && next == nullptr; comma = strchr(comma + 1, ',')) {
      char* end;
      range.name = {text, static_cast<int>(comma - text)};
      range.low = strtod(comma + 1, &end);
      if (end == comma + 1 || *end != ',') continue;
      const char* high = end + 1;
      range.high = strtod(high, &end);
      if (end != high && (*end == ':' || *end == '\0')) next = end + (*end == ':');
    }
    if (next == nullptr || !(range.low <= range.high) || range.high - range.low > 1e30) {
      return error->Set("--input_layer_value_range: \"%.200s\" is not of the form NAME,LOW,HIGH:NAME,LOW,HIGH", text);
    }
    ranges_.Add(range);
    text = next;
  }
  return true;
}

bool InputOptions::Exists(const Name& name, const TfliteCApi& api, TfLiteInterpreter* interpreter, Message* error) const {
  const int count = api.InterpreterGetInputTensorCount(interpreter);
  for (int i = 0; i < count; ++i) {
    if (name.Equals(api.InterpreterGetInputTensor(interpreter, i)->name)) return true;
  }
  error->Set("the model has no input \"%.*s\"; it has", name.length, name.text);
  for (int i = 0; i < count; ++i) {
    error->Append("%s \"%.100s\"", i > 0 ? "," : "", NameOf(*api.InterpreterGetInputTensor(interpreter, i)));
  }
  return false;
}

void InputOptions::FixShape(const int32_t* dims, int rank) {
  Shape shape;
  shape.size = rank;
  for (int d = 0; d < rank; ++d) shape.dims[d] = dims[d];
  fixed_.Add(shape);
}

bool InputOptions::Resize(const TfliteCApi& api, TfLiteInterpreter* interpreter, Message* error) const {
  for (const Shape& shape : shapes_) {
    if (!Exists(shape.name, api, interpreter, error)) return false;
  }
  for (const Range& range : ranges_) {
    if (!Exists(range.name, api, interpreter, error)) return false;
  }
  for (int i = 0; i < api.InterpreterGetInputTensorCount(interpreter); ++i) {
    const TfLiteTensor& tensor = *api.InterpreterGetInputTensor(interpreter, i);
    const bool fixed = i < fixed_.size();
    const Shape* shape = fixed ? &fixed_[i] : nullptr;
    for (const Shape& asked : shapes_) {
      if (shape == nullptr && asked.name.Equals(tensor.name)) shape = &asked;
    }
    if (shape != nullptr) {
      if (shape->size == 0) continue;  // a single value
      if (api.InterpreterResizeInputTensor(interpreter, i, shape->dims, shape->size) == kTfLiteOk) continue;
      return error->Set("input \"%.100s\" cannot be given the shape of %s", NameOf(tensor), fixed ? "--golden" : "--input_layer_shape");
    }
    const TfLiteIntArray* open = tensor.dims_signature;
    if (!IsOpen(open)) continue;
    error->Set("input \"%.100s\" has no fixed shape, but ", NameOf(tensor));
    for (int d = 0; d < open->size; ++d) error->Append("%s%d", d > 0 ? ", " : "[", open->data[d]);
    error->Append("]: give one, as in --input_layer=%.100s --input_layer_shape=1,224,224,3", NameOf(tensor));
    return false;
  }
  return true;
}

bool InputOptions::FillTensor(TfLiteTensor* tensor, uint64_t seed, Message* error) const {
  const IntegerType* integers = nullptr;
  for (const IntegerType& type : kIntegerTypes) {
    if (type.type == tensor->type) integers = &type;
  }
  if (integers == nullptr && tensor->type != kTfLiteFloat32) {
    return error->Set("input \"%.100s\" is of type %d; only float32, int8, uint8, int16, int32, int64 and bool can be filled",
                      NameOf(*tensor), tensor->type);
  }
  if (tensor->data.raw == nullptr || tensor->bytes == 0) return error->Set("input \"%.100s\" has no memory", NameOf(*tensor));
  double low = integers != nullptr ? integers->low : -1;
  double high = integers != nullptr ? integers->high : 1;
  for (const Range& range : ranges_) {
    if (range.name.Equals(tensor->name)) low = range.low, high = range.high;
  }
  if (integers != nullptr && (low < integers->least || high > integers->most)) {
    return error->Set("--input_layer_value_range: input \"%.100s\" holds values from %.0f to %.0f", NameOf(*tensor), integers->least,
                      integers->most);
  }
  Random random(seed);
  const size_t bytes = integers != nullptr ? integers->bytes : sizeof(float);
  for (size_t i = 0; i + bytes <= tensor->bytes; i += bytes) {
    char* value = static_cast<char*>(tensor->data.raw) + i;
    if (integers != nullptr) {
      const int64_t integer = random.Integer(static_cast<int64_t>(low), static_cast<int64_t>(high));
      memcpy(value, &integer, bytes);  // little-endian
    } else {
      const auto real = static_cast<float>(random.Real(low, high));
      memcpy(value, &real, bytes);
    }
  }
  return true;
}

bool InputOptions::Fill(const TfliteCApi& api, TfLiteInterpreter* interpreter, uint64_t seed, Message* error) const {
  for (int i = 0; i < api.InterpreterGetInputTensorCount(interpreter); ++i) {
    // Seeds apart, so that inputs differ and neither repeats another's at the next seed.
    const uint64_t own = Random(seed).Next() + static_cast<uint64_t>(i);
    if (!FillTensor(api.InterpreterGetInputTensor(interpreter, i), own, error)) return false;
  }
  return true;
}

}  // namespace tflite_eq
