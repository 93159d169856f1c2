#include "delegate/benchmark/golden_run.h"

#include "delegate/tflite_abi.h"

namespace tflite_eq {
namespace {

constexpr char kMagic[] = "TFEQGOLD";
constexpr uint32_t kFormat = 1;
constexpr size_t kHeader = 88;
constexpr size_t kRecord = 256;
constexpr size_t kName = 40;  // within a record
// So that no product of sizes below overflows.
constexpr uint32_t kMostTensors = 1 << 16;
constexpr uint32_t kMostDimensions = 8;

uint32_t Word(const uint8_t* at) {
  uint32_t word;
  memcpy(&word, at, sizeof(word));
  return word;
}

size_t ElementBytes(uint32_t type) {
  switch (type) {
    case kTfLiteInt8:
    case kTfLiteUInt8:
    case kTfLiteBool:
      return 1;
    case kTfLiteInt16:
      return 2;
    case kTfLiteFloat32:
    case kTfLiteInt32:
      return 4;
    case kTfLiteInt64:
      return 8;
    default:
      return 0;
  }
}

bool EndsWithin(const uint8_t* text, size_t room) { return memchr(text, 0, room) != nullptr; }

// Of a record whose number of dimensions was checked. False where that overflows or a size is negative.
bool TensorBytes(const uint8_t* record, size_t* bytes) {
  *bytes = ElementBytes(Word(record));
  for (uint32_t d = 0; d < Word(record + 4); ++d) {
    const auto size = static_cast<int32_t>(Word(record + 8 + 4 * d));
    if (size < 0 || __builtin_mul_overflow(*bytes, static_cast<size_t>(size), bytes)) return false;
  }
  return true;
}

}  // namespace

bool GoldenRun::Parse(const uint8_t* data, size_t size, Message* error) {
  if (size < kHeader || memcmp(data, kMagic, 8) != 0) {
    return error->Set("it is no golden file: those of tflite-eq validate --golden begin with %s", kMagic);
  }
  if (Word(data + 8) != kFormat) {
    return error->Set("it is a golden file of format %u, and this program reads format %u", Word(data + 8), kFormat);
  }
  const uint32_t samples = Word(data + 12), inputs = Word(data + 16), outputs = Word(data + 20);
  if (samples < 1 || samples > INT32_MAX || inputs > kMostTensors || outputs < 1 || outputs > kMostTensors ||
      !EndsWithin(data + 56, 32)) {
    return error->Set("it is damaged: %u samples of %u inputs and %u outputs", samples, inputs, outputs);
  }
  const size_t records = size_t{kRecord} * (inputs + outputs);
  if (size - kHeader < records) {
    return error->Set("it is cut off: %zu bytes are too few for %u tensors", size, inputs + outputs);
  }
  sample_bytes_ = 0;
  for (uint32_t i = 0; i < inputs + outputs; ++i) {
    const uint8_t* record = data + kHeader + kRecord * i;
    size_t bytes = 0;
    if (ElementBytes(Word(record)) == 0 || Word(record + 4) > kMostDimensions || !EndsWithin(record + kName, kRecord - kName) ||
        !TensorBytes(record, &bytes) || __builtin_add_overflow(sample_bytes_, bytes, &sample_bytes_)) {
      return error->Set("it is damaged: the record of tensor %u has type %u, %u dimensions, or no name", i, Word(record), Word(record + 4));
    }
  }
  size_t expected;
  if (__builtin_mul_overflow(sample_bytes_, size_t{samples}, &expected) ||
      __builtin_add_overflow(expected, kHeader + records, &expected) || size != expected) {
    return error->Set("it is damaged or cut off: %zu bytes are not %u samples of %zu bytes behind %zu", size, samples, sample_bytes_,
               kHeader + records);
  }
  data_ = data;
  samples_ = static_cast<int>(samples);
  inputs_ = static_cast<int>(inputs);
  outputs_ = static_cast<int>(outputs);
  return true;
}

GoldenRun::Tensor GoldenRun::Record(int tensor) const {
  const uint8_t* record = data_ + kHeader + kRecord * static_cast<size_t>(tensor);
  Tensor result = {};
  result.type = static_cast<int32_t>(Word(record));
  result.rank = static_cast<int>(Word(record + 4));
  memcpy(result.dims, record + 8, sizeof(result.dims));
  result.name = reinterpret_cast<const char*>(record + kName);
  TensorBytes(record, &result.bytes);
  return result;
}

const uint8_t* GoldenRun::Bytes(int sample, int tensor) const {
  size_t at = kHeader + kRecord * static_cast<size_t>(inputs_ + outputs_) + sample_bytes_ * static_cast<size_t>(sample);
  for (int i = 0; i < tensor; ++i) at += Record(i).bytes;
  return data_ + at;
}

}  // namespace tflite_eq
