#include "delegate/file_pages.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

constexpr size_t kPages = 64;

// A file of pages with bytes that tell places apart, mapped.
class MappedFile {
 public:
  explicit MappedFile(int protection, int flags) {
    char path[] = "/tmp/file_pages_test_XXXXXX";
    const int file = mkstemp(path);
    unlink(path);
    content_.resize(kPages * page());
    for (size_t i = 0; i < content_.size(); ++i) content_[i] = static_cast<char>(i * 31 + i / page());
    EXPECT_EQ(write(file, content_.data(), content_.size()), static_cast<ssize_t>(content_.size()));
    data_ = static_cast<char*>(mmap(nullptr, content_.size(), protection, flags, file, 0));
    EXPECT_NE(data_, MAP_FAILED);
    close(file);
  }
  ~MappedFile() { munmap(data_, content_.size()); }

  static size_t page() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }
  char* data() const { return data_; }
  size_t size() const { return content_.size(); }
  void ReadAll() const { EXPECT_EQ(memcmp(data_, content_.data(), content_.size()), 0); }
  // What it holds by itself; reading fetches pages, so this is asked of copies of the answer.
  std::vector<char>& content() { return content_; }

  // Which pages this process has in its page table; empty where the kernel does not say, or an emulator says of other addresses.
  std::vector<bool> Resident() const {
    std::vector<bool> resident;
    const int file = open("/proc/self/pagemap", O_RDONLY);
    if (file < 0) return resident;
    for (size_t i = 0; i < kPages; ++i) {
      uint64_t entry = 0;
      const auto at = static_cast<off_t>((reinterpret_cast<uintptr_t>(data_) / page() + i) * sizeof(entry));
      if (pread(file, &entry, sizeof(entry), at) != sizeof(entry)) break;
      resident.push_back((entry >> 63) != 0);
    }
    close(file);
    return resident;
  }

  // Whether the kernel tells of a mapping whose pages have all been read.
  bool IsTold() const {
    ReadAll();
    const std::vector<bool> resident = Resident();
    return resident.size() == kPages && resident == std::vector<bool>(kPages, true);
  }

 private:
  char* data_;
  std::vector<char> content_;
};

TEST(FilePages, GoWhereTheFileIsMappedReadOnlyAndComeBack) {
  for (const int flags : {MAP_PRIVATE, MAP_SHARED}) {
    const MappedFile file(PROT_READ, flags);
    if (!file.IsTold()) GTEST_SKIP() << "the kernel does not tell which pages are in memory";
    FilePages pages;
    EXPECT_TRUE(pages.LetGo(file.data(), file.size()));
    EXPECT_EQ(file.Resident(), std::vector<bool>(kPages, false));
    file.ReadAll();
  }
}

TEST(FilePages, GoAsWholePagesAndNoneBeside) {
  const MappedFile file(PROT_READ, MAP_PRIVATE);
  if (!file.IsTold()) GTEST_SKIP() << "the kernel does not tell which pages are in memory";
  const size_t page = MappedFile::page();
  FilePages pages;
  EXPECT_TRUE(pages.LetGo(file.data() + 3 * page + 1, 40 * page));
  const std::vector<bool> resident = file.Resident();
  for (size_t i = 0; i < kPages; ++i) EXPECT_EQ(resident[i], i < 4 || i >= 43) << i;
}

TEST(FilePages, OfFewPagesStay) {
  const MappedFile file(PROT_READ, MAP_PRIVATE);
  file.ReadAll();
  FilePages pages;
  EXPECT_FALSE(pages.LetGo(file.data() + 1, FilePages::kFewest * MappedFile::page()));
  EXPECT_FALSE(pages.LetGo(file.data(), 0));
}

// Who says of a page that was read that it is not in memory, tells of other addresses: an emulator whose programs see addresses of
// their own. A page that was written may be anywhere then.
TEST(FilePages, ThatAreNotSaidToBeInMemoryStay) {
  const MappedFile file(PROT_READ, MAP_PRIVATE);
  FilePages pages;
  EXPECT_FALSE(pages.LetGo(file.data(), file.size())) << "none";
  file.ReadAll();
  ASSERT_EQ(madvise(file.data() + 40 * MappedFile::page(), MappedFile::page(), MADV_DONTNEED), 0);
  EXPECT_FALSE(pages.LetGo(file.data(), file.size())) << "all but one";
  file.ReadAll();
}

// A loader may change what it maps, and make it read-only then.
TEST(FilePages, ThatWereWrittenStay) {
  MappedFile file(PROT_READ | PROT_WRITE, MAP_PRIVATE);
  file.ReadAll();
  FilePages pages;
  EXPECT_FALSE(pages.LetGo(file.data(), file.size())) << "writable";
  const size_t at = 50 * MappedFile::page() + 7;
  file.data()[at] = file.content()[at] = 'x';
  ASSERT_EQ(mprotect(file.data(), file.size(), PROT_READ), 0);
  FilePages anew;
  EXPECT_FALSE(anew.LetGo(file.data(), file.size()));
  file.ReadAll();
}

TEST(FilePages, OfOtherMemoryStay) {
  std::vector<char> heap(kPages * MappedFile::page(), 'h');
  FilePages pages;
  EXPECT_FALSE(pages.LetGo(heap.data(), heap.size()));
  void* anonymous = mmap(nullptr, heap.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(anonymous, 'a', heap.size());
  ASSERT_EQ(mprotect(anonymous, heap.size(), PROT_READ), 0);
  EXPECT_FALSE(pages.LetGo(anonymous, heap.size()));
  EXPECT_EQ(static_cast<char*>(anonymous)[heap.size() - 1], 'a');
  munmap(anonymous, heap.size());
}

// The second mapping is found though the first was looked up before.
TEST(FilePages, OfSeveralFilesGoInTurn) {
  const MappedFile first(PROT_READ, MAP_PRIVATE), second(PROT_READ, MAP_SHARED);
  if (!first.IsTold() || !second.IsTold()) GTEST_SKIP() << "the kernel does not tell which pages are in memory";
  FilePages pages;
  for (const MappedFile* file : {&first, &second, &first}) {
    file->ReadAll();
    EXPECT_TRUE(pages.LetGo(file->data(), file->size()));
    EXPECT_EQ(file->Resident(), std::vector<bool>(kPages, false));
  }
}

}  // namespace
}  // namespace tflite_eq
