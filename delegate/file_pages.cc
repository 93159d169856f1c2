#include "delegate/file_pages.h"

#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

namespace tflite_eq {
namespace {

// Bits of an entry of /proc/self/pagemap.
constexpr uint64_t kInMemory = uint64_t{1} << 63;
constexpr uint64_t kOfFile = uint64_t{1} << 61;

class File {
 public:
  explicit File(const char* path) : descriptor_(open(path, O_RDONLY | O_CLOEXEC)) {}
  ~File() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

// The text of /proc/self/maps, byte by byte: "begin-end rwxp offset device inode path".
class Maps {
 public:
  Maps() : file_("/proc/self/maps") {}

  int Next() {
    if (at_ == filled_) {
      const ssize_t bytes = file_.descriptor() < 0 ? 0 : read(file_.descriptor(), buffer_, sizeof(buffer_));
      at_ = 0;
      filled_ = bytes > 0 ? static_cast<size_t>(bytes) : 0;
      if (filled_ == 0) return kEnd;
    }
    return static_cast<unsigned char>(buffer_[at_++]);
  }

  // A hexadecimal number and the character behind it, which goes to `last`.
  uintptr_t Number(int* last) {
    uintptr_t value = 0;
    for (;;) {
      const int c = *last = Next();
      const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
      if (digit < 0) return value;
      value = value * 16 + static_cast<uintptr_t>(digit);
    }
  }

  // Reads up to one of the two, and returns the character that it came to.
  int SkipTo(char one, char other) {
    int c = Next();
    while (c != one && c != other && c != kEnd) c = Next();
    return c;
  }

  static constexpr int kEnd = -1;

 private:
  File file_;
  char buffer_[1024];
  size_t at_ = 0;
  size_t filled_ = 0;
};

}  // namespace

bool FilePages::IsOfFile(uintptr_t begin, uintptr_t end) {
  if (begin_ <= begin && end <= end_) return read_only_file_;
  Maps maps;
  for (int last = 0; last != Maps::kEnd;) {
    begin_ = maps.Number(&last);
    end_ = maps.Number(&last);
    const bool writable = maps.Next() == 'r' ? maps.Next() == 'w' : true;
    maps.SkipTo(' ', '\n');
    maps.SkipTo(' ', '\n');  // the offset
    maps.SkipTo(' ', '\n');  // the device
    bool has_inode = false;
    for (last = maps.Next(); last >= '0' && last <= '9'; last = maps.Next()) has_inode = has_inode || last != '0';
    if (last != '\n' && last != Maps::kEnd) last = maps.SkipTo('\n', '\n');
    read_only_file_ = !writable && has_inode;
    if (begin_ <= begin && end <= end_) return read_only_file_;
  }
  begin_ = end_ = 0;
  return false;
}

bool FilePages::LetGo(const void* begin, size_t bytes) {
  const uintptr_t page = getauxval(AT_PAGESZ);
  const auto address = reinterpret_cast<uintptr_t>(begin);
  const uintptr_t first = (address + page - 1) / page, last = (address + bytes) / page;
  if (last < first + kFewest || !IsOfFile(first * page, last * page)) return false;
  const File entries("/proc/self/pagemap");
  if (entries.descriptor() < 0) return false;
  constexpr size_t kAtOnce = 64;
  uint64_t entry[kAtOnce];
  for (uintptr_t at = first; at < last;) {
    const size_t count = last - at < kAtOnce ? last - at : kAtOnce;
    const auto expected = static_cast<ssize_t>(count * sizeof(uint64_t));
    if (pread(entries.descriptor(), entry, count * sizeof(uint64_t), static_cast<off_t>(at * sizeof(uint64_t))) != expected) return false;
    // A page that was written is not of the file any more, and may be in swap. None at all is where an emulator passes on what its own
    // kernel says, of other addresses.
    for (size_t i = 0; i < count; ++i) {
      if ((entry[i] & kInMemory) == 0 || (entry[i] & kOfFile) == 0) return false;
    }
    at += count;
  }
  return madvise(reinterpret_cast<void*>(first * page), (last - first) * page, MADV_DONTNEED) == 0;
}

}  // namespace tflite_eq
