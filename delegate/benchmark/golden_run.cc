#include "delegate/benchmark/golden_run.h"

#include "delegate/tflite_abi.h"

namespace tflite_eq {
namespace {

constexpr char kMagic[] = "TFEQGOLD";
constexpr uint32_t kFormat = 1;
// So that no product of sizes below overflows.
constexpr uint32_t kMostTensors = 1 << 16;

static_assert(sizeof(GoldenRun::Header) == 88 && sizeof(GoldenRun::Tensor) == 256, "as golden.py writes them");

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

template <size_t N>
bool Ends(const char (&text)[N]) {
  return memchr(text, 0, N) != nullptr;
}

}  // namespace

bool GoldenRun::Tensor::CountBytes(size_t* bytes) const {
  *bytes = ElementBytes(type);
  if (*bytes == 0 || rank > sizeof(dims) / sizeof(dims[0])) return false;
  for (uint32_t d = 0; d < rank; ++d) {
    if (dims[d] < 0 || __builtin_mul_overflow(*bytes, static_cast<size_t>(dims[d]), bytes)) return false;
  }
  return true;
}

bool GoldenRun::Parse(const uint8_t* data, size_t size, Message* error) {
  if (size < sizeof(Header) || memcmp(data, kMagic, sizeof(Header::magic)) != 0) {
    return error->Set("it is no golden file: those of tflite-eq validate --golden begin with %s", kMagic);
  }
  header_ = reinterpret_cast<const Header*>(data);
  const Header& h = *header_;
  if (h.format != kFormat) return error->Set("it is a golden file of format %u, and this program reads format %u", h.format, kFormat);
  if (h.samples < 1 || h.samples > INT32_MAX || h.inputs > kMostTensors || h.outputs < 1 || h.outputs > kMostTensors || !Ends(h.version)) {
    return error->Set("it is damaged: %u samples of %u inputs and %u outputs", h.samples, h.inputs, h.outputs);
  }
  const uint32_t count = h.inputs + h.outputs;
  const size_t before = sizeof(Header) + size_t{count} * sizeof(Tensor);
  if (size < before) return error->Set("it is cut off: %zu bytes are too few for %u tensors", size, count);
  sample_bytes_ = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const Tensor& tensor = tensors()[i];
    size_t bytes = 0;
    if (!tensor.CountBytes(&bytes) || !Ends(tensor.name) || __builtin_add_overflow(sample_bytes_, bytes, &sample_bytes_)) {
      return error->Set("it is damaged: the record of tensor %u has type %u, %u dimensions, or no name", i, tensor.type, tensor.rank);
    }
  }
  size_t expected;
  if (__builtin_mul_overflow(sample_bytes_, size_t{h.samples}, &expected) || __builtin_add_overflow(expected, before, &expected) ||
      size != expected) {
    return error->Set("it is damaged or cut off: %zu bytes are not %u samples of %zu bytes behind %zu", size, h.samples, sample_bytes_,
                      before);
  }
  // Whose number of samples no length of the file vouches for.
  return sample_bytes_ > 0 || error->Set("it is damaged: %u samples of no values", h.samples);
}

const uint8_t* GoldenRun::Bytes(int sample, int tensor) const {
  const auto* at = reinterpret_cast<const uint8_t*>(tensors() + inputs() + outputs()) + sample_bytes_ * static_cast<size_t>(sample);
  for (int i = 0; i < tensor; ++i) at += tensors()[i].bytes();
  return at;
}

}  // namespace tflite_eq
