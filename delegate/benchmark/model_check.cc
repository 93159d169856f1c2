#include "delegate/benchmark/model_check.h"

#include "delegate/quoted.h"

namespace tflite_eq {
namespace {

// How the delegate's message about an operator that differs begins (program_report.cc).
constexpr char kDifference[] = "tflite_eq: verify: ";

int Different(Verdict* verdict) {
  verdict->name = "different";
  return kExitDifferent;
}

// How many bytes of output `i` differ; the first is named, `place` in front of it, unless a difference was named before.
int64_t CountDifferences(const char* place, int i, const TfLiteTensor& tensor, const char* name, const void* expected, size_t bytes,
                         Message* first_difference) {
  const auto* found = static_cast<const uint8_t*>(tensor.data.raw);
  const auto* wanted = static_cast<const uint8_t*>(expected);
  int64_t count = 0;
  for (size_t k = 0; k < bytes; ++k) {
    if (found[k] == wanted[k] || ++count > 1 || first_difference->text[0] != '\0') continue;
    const bool code = tensor.type == kTfLiteInt8;
    first_difference->Set("%soutput %d (%s), %s %zu: %d instead of %d", place, i, Quoted(name).text, code ? "code" : "byte", k,
                          code ? static_cast<int8_t>(found[k]) : found[k], code ? static_cast<int8_t>(wanted[k]) : wanted[k]);
  }
  return count;
}

// A session of the delegate with one more option.
bool OpenWith(const char* option, const char* value, const SessionOptions& delegated, Session* session, Message* error) {
  DelegateOptions delegate_options(*delegated.delegate_options);
  delegate_options.Set(option, value);
  SessionOptions options = delegated;
  options.delegate_options = &delegate_options;
  return session->Open(options, error);
}

size_t BytesOf(const TfLiteTensor& tensor) { return tensor.data.raw != nullptr ? tensor.bytes : 0; }

bool RunOn(uint64_t seed, Session* session, Message* error) { return session->Fill(seed, error) && session->Invoke(error); }

}  // namespace

OutputBytes CompareOutputs(const Session& session, const Session& expected, Message* first_difference) {
  OutputBytes bytes;
  for (int i = 0; i < session.outputs(); ++i) {
    const TfLiteTensor& mine = session.output(i);
    const TfLiteTensor& theirs = expected.output(i);
    const char* name = mine.name != nullptr ? mine.name : "";
    const size_t size = BytesOf(mine), expected_size = BytesOf(theirs), both = size < expected_size ? size : expected_size;
    if (size != expected_size) {
      bytes.different += static_cast<int64_t>(size + expected_size - 2 * both);
      first_difference->Set("output %d (%s) has %zu bytes instead of %zu", i, Quoted(name).text, size, expected_size);
    }
    bytes.all += static_cast<int64_t>(size);
    bytes.different += CountDifferences("", i, mine, name, theirs.data.raw, both, first_difference);
  }
  return bytes;
}

int VerifyModel(const SessionOptions& delegated, uint64_t seed, int samples, Verdict* verdict, Message* error) {
  Session checked, timed, reference;
  if (!OpenWith("verify", "1", delegated, &checked, error) || !OpenWith("verify", "0", delegated, &timed, error) ||
      !OpenWith("reference_in_place", "1", delegated, &reference, error)) {
    return kExitRunFailed;
  }
  for (uint64_t sample = seed; sample < seed + static_cast<uint64_t>(samples); ++sample) {
    if (!RunOn(sample, &checked, error)) {
      const char* said = strstr(error->text, kDifference);
      if (said == nullptr) return kExitRunFailed;
      said += strlen(kDifference);
      verdict->difference.Set("%.*s", static_cast<int>(strcspn(said, ";")), said);
      return Different(verdict);
    }
    if (!RunOn(sample, &timed, error) || !RunOn(sample, &reference, error)) return kExitRunFailed;
    if (CompareOutputs(timed, reference, &verdict->difference).different > 0) return Different(verdict);
  }
  verdict->name = "equal";
  return kExitOk;
}

bool GoldenCheck::Open(const char* path, const char* graph, Message* error) {
  const Quoted name(path, Quoted::kLongest);
  Message reason;
  MappedFile model;
  if (!file_.Open(path, "golden", error) || !model.Open(graph, "graph", error)) return false;
  if (!run_.Parse(file_.data(), file_.size(), &reason)) return error->Set("--golden=%s: %s", name.text, reason.text);
  const uint8_t* hash = run_.header().model.bytes;
  if (memcmp(Sha256Of(model.data(), model.size()).bytes, hash, sizeof(Sha256)) == 0) return true;
  return error->Set("--golden=%s: it is of another model than --graph=%s: the SHA-256 of the file that it is of begins with "
                    "%02x%02x%02x%02x",
                    name.text, Quoted(graph, Quoted::kLongest).text, hash[0], hash[1], hash[2], hash[3]);
}

int GoldenCheck::Run(const SessionOptions& options, Verdict* verdict, Message* error) const {
  InputOptions shapes;
  for (int i = 0; i < run_.inputs(); ++i) shapes.FixShape(run_.input(i).dims, static_cast<int>(run_.input(i).rank));
  SessionOptions shaped = options;
  shaped.inputs = &shapes;
  Session session;
  if (!session.Open(shaped, error)) return kExitRunFailed;
  if (session.inputs() != run_.inputs() || session.outputs() != run_.outputs()) {
    verdict->difference.Set("the model has %d inputs and %d outputs, the golden file %d and %d", session.inputs(), session.outputs(),
                            run_.inputs(), run_.outputs());
    return Different(verdict);
  }
  for (int sample = 0; sample < run_.samples(); ++sample) {
    for (int i = 0; i < run_.inputs(); ++i) {
      if (!session.SetInput(i, run_.input_bytes(sample, i), run_.input(i).bytes(), error)) return kExitRunFailed;
    }
    if (!session.Invoke(error)) return kExitRunFailed;
    for (int i = 0; i < run_.outputs(); ++i) {
      const TfLiteTensor& tensor = session.output(i);
      const GoldenRun::Tensor& expected = run_.output(i);
      const size_t bytes = expected.bytes();
      if (tensor.type != static_cast<int>(expected.type) || tensor.bytes != bytes || (tensor.data.raw == nullptr && bytes > 0)) {
        verdict->difference.Set("sample %d, output %d (%s): %zu bytes of type %d instead of %zu of type %d", sample, i,
                                Quoted(expected.name).text, tensor.bytes, tensor.type, bytes, static_cast<int>(expected.type));
        return Different(verdict);
      }
      char place[24];
      snprintf(place, sizeof(place), "sample %d, ", sample);
      if (CountDifferences(place, i, tensor, expected.name, run_.output_bytes(sample, i), bytes, &verdict->difference) > 0) {
        return Different(verdict);
      }
    }
  }
  verdict->name = "equal";
  return kExitOk;
}

}  // namespace tflite_eq
