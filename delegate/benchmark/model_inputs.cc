#include "delegate/benchmark/model_inputs.h"

#include <stdlib.h>

#include "delegate/benchmark/random.h"

namespace tflite_eq {
namespace {

const char* NameOf(const TfLiteTensor& tensor) { return tensor.name != nullptr ? tensor.name : ""; }

void AppendShape(const TfLiteIntArray* dims, Message* text) {
  text->Append("[");
  for (int i = 0; dims != nullptr && i < dims->size; ++i) text->Append(i > 0 ? ", %d" : "%d", dims->data[i]);
  text->Append("]");
}

// The shape as the model states it, with -1 for what it leaves open; null when it leaves nothing open.
const TfLiteIntArray* OpenShape(const TfLiteTensor& tensor) {
  const TfLiteIntArray* signature = tensor.dims_signature;
  for (int i = 0; signature != nullptr && i < signature->size; ++i) {
    if (signature->data[i] < 0) return signature;
  }
  return nullptr;
}

bool OnlyBatchIsOpen(const TfLiteIntArray& signature) {
  for (int i = 1; i < signature.size; ++i) {
    if (signature.data[i] < 0) return false;
  }
  return true;
}

template <typename T>
void FillIntegers(TfLiteTensor* tensor, Random* random, int64_t low, int64_t high) {
  T* values = static_cast<T*>(tensor->data.raw);
  for (size_t i = 0; i < tensor->bytes / sizeof(T); ++i) values[i] = static_cast<T>(random->Integer(low, high));
}

void FillFloats(TfLiteTensor* tensor, Random* random, double low, double high) {
  float* values = static_cast<float*>(tensor->data.raw);
  for (size_t i = 0; i < tensor->bytes / sizeof(float); ++i) values[i] = static_cast<float>(random->Real(low, high));
}

// The whole range of an integer type; false for others.
bool IntegerRange(int32_t type, double* low, double* high) {
  switch (type) {
    case kTfLiteInt8:
      *low = -128, *high = 127;
      return true;
    case kTfLiteUInt8:
      *low = 0, *high = 255;
      return true;
    case kTfLiteInt16:
      *low = -32768, *high = 32767;
      return true;
    case kTfLiteInt32:
    case kTfLiteInt64:
      *low = -2147483648.0, *high = 2147483647;
      return true;
    case kTfLiteBool:
      *low = 0, *high = 1;
      return true;
    default:
      return false;
  }
}

}  // namespace

bool InputOptions::Parse(const Flags& flags, Message* error) {
  return ParseShapes(flags.input_layer, flags.input_layer_shape, error) &&
         ParseRanges(flags.input_layer_value_range, error);
}

bool InputOptions::ParseShapes(const char* names, const char* shapes, Message* error) {
  while (*names != '\0' && *shapes != '\0') {
    Shape shape;
    shape.name = {names, static_cast<int>(strcspn(names, ","))};
    names += shape.name.length + (names[shape.name.length] == ',');
    for (;;) {
      char* end;
      const long size = strtol(shapes, &end, 10);
      if (end == shapes || size < 1 || size > 1 << 24 || shape.size == kMostDimensions ||
          (*end != ',' && *end != ':' && *end != '\0')) {
        error->Set("--input_layer_shape: \"%.200s\" does not begin with one to %d sizes, as in 1,224,224,3", shapes,
                   kMostDimensions);
        return false;
      }
      shape.dims[shape.size++] = static_cast<int>(size);
      shapes = end + (*end != '\0');
      if (*end != ',') break;
    }
    shapes_.Add(shape);
  }
  if (*names == '\0' && *shapes == '\0') return true;
  error->Set("--input_layer and --input_layer_shape: more %s than %s", *names != '\0' ? "names" : "shapes",
             *names != '\0' ? "shapes" : "names");
  return false;
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
      error->Set("--input_layer_value_range: \"%.200s\" is not of the form NAME,LOW,HIGH:NAME,LOW,HIGH", text);
      return false;
    }
    ranges_.Add(range);
    text = next;
  }
  return true;
}

bool InputOptions::NamesExist(const TfliteCApi& api, TfLiteInterpreter* interpreter, Message* error) const {
  const int count = api.InterpreterGetInputTensorCount(interpreter);
  const auto exists = [&](const Name& name) {
    for (int i = 0; i < count; ++i) {
      if (name.Equals(api.InterpreterGetInputTensor(interpreter, i)->name)) return true;
    }
    error->Set("the model has no input \"%.*s\"; it has", name.length, name.text);
    for (int i = 0; i < count; ++i) {
      error->Append("%s \"%.100s\"", i > 0 ? "," : "", NameOf(*api.InterpreterGetInputTensor(interpreter, i)));
    }
    return false;
  };
  for (const Shape& shape : shapes_) {
    if (!exists(shape.name)) return false;
  }
  for (const Range& range : ranges_) {
    if (!exists(range.name)) return false;
  }
  return true;
}

const InputOptions::Shape* InputOptions::FindShape(const TfLiteTensor& tensor) const {
  for (const Shape& shape : shapes_) {
    if (shape.name.Equals(tensor.name)) return &shape;
  }
  return nullptr;
}

void InputOptions::FixShape(const int32_t* dims, int rank) {
  Shape shape;
  shape.size = rank;
  for (int d = 0; d < rank; ++d) shape.dims[d] = dims[d];
  fixed_.Add(shape);
}

bool InputOptions::Resize(const TfliteCApi& api, TfLiteInterpreter* interpreter, Message* error) const {
  if (!NamesExist(api, interpreter, error)) return false;
  for (int i = 0; i < api.InterpreterGetInputTensorCount(interpreter); ++i) {
    const TfLiteTensor& tensor = *api.InterpreterGetInputTensor(interpreter, i);
    const Shape* shape = i < fixed_.size() ? &fixed_[i] : FindShape(tensor);
    if (shape != nullptr) {
      if (shape->size == 0) continue;  // a single value
      if (api.InterpreterResizeInputTensor(interpreter, i, shape->dims, shape->size) != kTfLiteOk) {
        error->Set("input \"%.100s\" cannot be given the shape of %s", NameOf(tensor),
                   i < fixed_.size() ? "--golden" : "--input_layer_shape");
        return false;
      }
      continue;
    }
    const TfLiteIntArray* open = OpenShape(tensor);
    if (open == nullptr || OnlyBatchIsOpen(*open)) continue;
    error->Set("input \"%.100s\" has no fixed shape, but ", NameOf(tensor));
    AppendShape(open, error);
    error->Append(": give one, as in --input_layer=%.100s --input_layer_shape=1,224,224,3", NameOf(tensor));
    return false;
  }
  return true;
}

bool InputOptions::FillTensor(TfLiteTensor* tensor, uint64_t seed, Message* error) const {
  double low = -1, high = 1, least = 0, most = 0;
  const bool integers = IntegerRange(tensor->type, &least, &most);
  if (!integers && tensor->type != kTfLiteFloat32) {
    error->Set("input \"%.100s\" is of type %d; only float32, int8, uint8, int16, int32, int64 and bool can be filled",
               NameOf(*tensor), tensor->type);
    return false;
  }
  if (tensor->data.raw == nullptr || tensor->bytes == 0) {
    error->Set("input \"%.100s\" has no memory", NameOf(*tensor));
    return false;
  }
  if (integers) low = least, high = most;
  // Wide integers are mostly indices, which must not be beyond a table.
  if (tensor->type == kTfLiteInt32 || tensor->type == kTfLiteInt64) low = 0, high = 99;
  for (const Range& range : ranges_) {
    if (range.name.Equals(tensor->name)) low = range.low, high = range.high;
  }
  if (integers && (low < least || high > most)) {
    error->Set("--input_layer_value_range: input \"%.100s\" holds values from %.0f to %.0f", NameOf(*tensor), least, most);
    return false;
  }
  Random random(seed);
  const auto first = static_cast<int64_t>(low);
  const auto last = static_cast<int64_t>(high);
  switch (tensor->type) {
    case kTfLiteFloat32:
      FillFloats(tensor, &random, low, high);
      break;
    case kTfLiteInt16:
      FillIntegers<int16_t>(tensor, &random, first, last);
      break;
    case kTfLiteInt32:
      FillIntegers<int32_t>(tensor, &random, first, last);
      break;
    case kTfLiteInt64:
      FillIntegers<int64_t>(tensor, &random, first, last);
      break;
    default:  // one byte
      FillIntegers<uint8_t>(tensor, &random, first, last);
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
