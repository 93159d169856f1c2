#include "delegate/benchmark/golden_check.h"

#include "delegate/benchmark/exit_codes.h"
#include "delegate/benchmark/sha256.h"
#include "delegate/quoted.h"

namespace tflite_eq {

bool GoldenCheck::Open(const char* path, const char* graph, Message* error) {
  const Quoted name(path, Quoted::kLongest);
  Message reason;
  if (!file_.Open(path, &reason) || !run_.Parse(file_.data(), file_.size(), &reason)) {
    error->Set("--golden=%s: %s", name.text, reason.text);
    return false;
  }
  MappedFile model;
  if (!model.Open(graph, &reason)) {
    error->Set("--graph=%s: %s", Quoted(graph, Quoted::kLongest).text, reason.text);
    return false;
  }
  const Sha256 hash = Sha256Of(model.data(), model.size());
  if (memcmp(hash.bytes, run_.model_hash(), sizeof(hash.bytes)) == 0) return true;
  error->Set("--golden=%s: it is of another model than --graph=%s: the SHA-256 of the file that it is of begins with %02x%02x%02x%02x",
             name.text, Quoted(graph, Quoted::kLongest).text, run_.model_hash()[0], run_.model_hash()[1], run_.model_hash()[2],
             run_.model_hash()[3]);
  return false;
}

int GoldenCheck::Run(const SessionOptions& options, Message* message) const {
  InputOptions shapes;
  for (int i = 0; i < run_.inputs(); ++i) shapes.FixShape(run_.input(i).dims, run_.input(i).rank);
  SessionOptions shaped = options;
  shaped.inputs = &shapes;
  Session session;
  if (!session.Open(shaped, message)) return kExitRunFailed;
  for (int sample = 0; sample < run_.samples(); ++sample) {
    for (int i = 0; i < run_.inputs(); ++i) {
      if (!session.SetInput(i, run_.input_bytes(sample, i), run_.input(i).bytes, message)) return kExitRunFailed;
    }
    if (!session.Invoke(message)) return kExitRunFailed;
    const int code = Compare(session, sample, message);
    if (code != kExitOk) return code;
  }
  return kExitOk;
}

int GoldenCheck::Compare(const Session& session, int sample, Message* difference) const {
  if (session.outputs() != run_.outputs()) {
    difference->Set("the model has %d outputs, the golden file %d", session.outputs(), run_.outputs());
    return kExitDifferent;
  }
  for (int i = 0; i < run_.outputs(); ++i) {
    const TfLiteTensor& tensor = session.output(i);
    const GoldenRun::Tensor expected = run_.output(i);
    const Quoted name(expected.name);
    if (tensor.type != expected.type || tensor.bytes != expected.bytes || (tensor.data.raw == nullptr && expected.bytes > 0)) {
      difference->Set("sample %d, output %d (%s): %zu bytes of type %d instead of %zu of type %d", sample, i, name.text, tensor.bytes,
                      tensor.type, expected.bytes, expected.type);
      return kExitDifferent;
    }
    const auto* found = static_cast<const uint8_t*>(tensor.data.raw);
    const uint8_t* golden = run_.output_bytes(sample, i);
    for (size_t k = 0; k < expected.bytes; ++k) {
      if (found[k] == golden[k]) continue;
      const bool code = expected.type == kTfLiteInt8;
      difference->Set("sample %d, output %d (%s), %s %zu: %d instead of %d", sample, i, name.text, code ? "code" : "byte", k,
                      code ? static_cast<int8_t>(found[k]) : found[k], code ? static_cast<int8_t>(golden[k]) : golden[k]);
      return kExitDifferent;
    }
  }
  return kExitOk;
}

}  // namespace tflite_eq
