#include "delegate/litert/accelerator_options.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "delegate/kernels/old_glibc.h"
#include "delegate/log.h"
#include "delegate/quoted.h"

namespace tflite_eq {
namespace {

constexpr size_t kLongestText = 16384;

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// The text between `begin` and `end` without blanks at its ends, terminated in place.
char* Trimmed(char* begin, char* end) {
  while (begin < end && IsBlank(*begin)) ++begin;
  while (end > begin && IsBlank(end[-1])) --end;
  *end = '\0';
  return begin;
}

bool ParseGpuLibrary(const char* value, AcceleratorOptions* options, Reason* error) {
  const size_t length = strlen(value);
  if (length > 0 && length < sizeof(options->gpu_library)) {
    memcpy(options->gpu_library, value, length + 1);
    return true;
  }
  error->Set("option gpu_library: \"%s\" is none of auto, none, the path of a library", Quoted(value).text);
  return false;
}

bool ParseEntry(char* begin, char* end, AcceleratorOptions* options, Reason* error) {
  char* entry = Trimmed(begin, end);
  if (*entry == '\0' || *entry == '#') return true;
  char* colon = strchr(entry, ':');
  if (colon == nullptr) {
    error->Set("\"%s\" is no option and value with a colon between, such as num_threads: 2", Quoted(entry).text);
    return false;
  }
  char* value_end = entry + strlen(entry);
  const char* value = Trimmed(colon + 1, value_end);
  const char* key = Trimmed(entry, colon);
  if (strcmp(key, "gpu_library") == 0) return ParseGpuLibrary(value, options, error);
  return ParseOptions(&key, &value, 1, &options->delegate, error);
}

// Entries are parted by `separator`; a semicolon behind a backslash parts none. `origin` is where the text is from.
bool ParseText(char* text, char separator, const char* origin, AcceleratorOptions* options, OnError on_error) {
  int entry = 0;
  for (char* begin = text; begin != nullptr;) {
    ++entry;
    char* end = begin;
    while (*end != '\0' && !(*end == separator && (separator == '\n' || end == begin || end[-1] != '\\'))) ++end;
    char* next = *end == '\0' ? nullptr : end + 1;
    Reason why;
    if (!ParseEntry(begin, end, options, &why)) {
      if (on_error == OnError::kTell) Log(Severity::kError, "%s, %s %d: %s", origin, separator == '\n' ? "line" : "entry", entry, why.text);
      return false;
    }
    begin = next;
  }
  return true;
}

// The length read, or -1 with errno; a file of more than `most` bytes is read up to there.
ssize_t ReadFile(const char* path, char* text, size_t most) {
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return -1;
  size_t length = 0;
  while (length < most) {
    const ssize_t count = read(file, text + length, most - length);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const int why = errno;
      close(file);
      errno = why;
      return -1;
    }
    if (count == 0) break;
    length += static_cast<size_t>(count);
  }
  close(file);
  return static_cast<ssize_t>(length);
}

// A file that is not there has no options.
bool ParseOptionsFile(AcceleratorOptions* options, OnError on_error) {
  char path[kLongestPath];
  if (!OwnPath(path)) return true;
  char* name = strrchr(path, '/');
  name = name == nullptr ? path : name + 1;
  if (sizeof(kOptionsFile) > sizeof(path) - static_cast<size_t>(name - path)) return true;
  memcpy(name, kOptionsFile, sizeof(kOptionsFile));
  char text[kLongestText + 1];
  const ssize_t length = ReadFile(path, text, sizeof(text));
  if (length < 0) {
    // Of a library inside an APK the folder is none.
    if (errno == ENOENT || errno == ENOTDIR) return true;
    if (on_error == OnError::kTell) Log(Severity::kError, "%s: cannot be read (error %d): make it readable, or remove it", path, errno);
    return false;
  }
  if (length > static_cast<ssize_t>(kLongestText) || memchr(text, '\0', static_cast<size_t>(length)) != nullptr) {
    if (on_error == OnError::kTell) Log(Severity::kError, "%s: is no text of at most %zu bytes with a line per option, such as num_threads: 2", path, kLongestText);
    return false;
  }
  text[length] = '\0';
  return ParseText(text, '\n', path, options, on_error);
}

bool ParseVariable(AcceleratorOptions* options, OnError on_error) {
  const char* value = getenv(kOptionsVariable);
  if (value == nullptr) return true;
  char text[kLongestText + 1];
  const size_t length = strlen(value);
  if (length > kLongestText) {
    if (on_error == OnError::kTell) Log(Severity::kError, "%s: has %zu characters, more than %zu: write the options to %s beside the library", kOptionsVariable, length,
        kLongestText, kOptionsFile);
    return false;
  }
  memcpy(text, value, length + 1);
  return ParseText(text, ';', kOptionsVariable, options, on_error);
}

}  // namespace

bool OwnPath(char (&path)[kLongestPath]) {
  Dl_info own;
  if (dladdr(reinterpret_cast<const void*>(&OwnPath), &own) == 0 || own.dli_fname == nullptr) return false;
  const size_t length = strlen(own.dli_fname);
  if (length >= sizeof(path)) return false;
  memcpy(path, own.dli_fname, length + 1);
  return true;
}

bool ReadAcceleratorOptions(AcceleratorOptions* options, OnError on_error) {
  return ParseOptionsFile(options, on_error) && ParseVariable(options, on_error);
}

}  // namespace tflite_eq
