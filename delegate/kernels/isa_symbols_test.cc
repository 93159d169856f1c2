// Objects that are compiled for an instruction set define their kernels and nothing else that the linker could take for another
// object's: no copy of an inline function, template, constructor or constant (always_inline.h). Looked at in the objects themselves,
// at every level of optimisation, as -O3 leaves few copies behind and -O0 all of them.
#include <elf.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "delegate/kernels/conv_kernel.h"
#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

struct Symbol {
  std::string name;
  bool weak;  // or otherwise for the linker to merge
  bool function;
};

// Those that an object defines for others.
std::vector<Symbol> SymbolsOfObject(const std::string& object) {
  std::vector<Symbol> symbols;
  Elf64_Ehdr header;
  if (object.size() < sizeof(header) || memcmp(object.data(), ELFMAG, SELFMAG) != 0) {
    ADD_FAILURE() << "not an ELF object";
    return symbols;
  }
  memcpy(&header, object.data(), sizeof(header));
  std::vector<Elf64_Shdr> sections(header.e_shnum);
  memcpy(sections.data(), object.data() + header.e_shoff, sections.size() * sizeof(Elf64_Shdr));
  for (const Elf64_Shdr& section : sections) {
    if (section.sh_type != SHT_SYMTAB) continue;
    const char* names = object.data() + sections[section.sh_link].sh_offset;
    for (size_t i = 0; i < section.sh_size / sizeof(Elf64_Sym); ++i) {
      Elf64_Sym symbol;
      memcpy(&symbol, object.data() + section.sh_offset + i * sizeof(symbol), sizeof(symbol));
      if (ELF64_ST_BIND(symbol.st_info) == STB_LOCAL || symbol.st_shndx == SHN_UNDEF) continue;
      symbols.push_back({names + symbol.st_name, ELF64_ST_BIND(symbol.st_info) != STB_GLOBAL,
                         ELF64_ST_TYPE(symbol.st_info) == STT_FUNC});
    }
  }
  return symbols;
}

// The members of a static library.
std::vector<std::string> ObjectsOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  constexpr char kMagic[] = "!<arch>\n";
  constexpr size_t kHeader = 60;
  EXPECT_EQ(bytes.substr(0, 8), kMagic) << path << ": not a static library that holds its objects";
  std::vector<std::string> objects;
  for (size_t at = 8; at + kHeader <= bytes.size();) {
    const std::string name = bytes.substr(at, 16);
    const size_t size = std::stoul(bytes.substr(at + 48, 10));
    // "/" and "//" are the tables of symbols and of long names.
    if (!(name[0] == '/' && (name[1] == ' ' || name[1] == '/'))) objects.push_back(bytes.substr(at + kHeader, size));
    at += kHeader + size + size % 2;
  }
  return objects;
}

bool StartsWith(const std::string& text, const std::string& start) { return text.compare(0, start.size(), start) == 0; }

// What AddressSanitizer adds to an object: one for each variable, and one that holds no code.
bool IsSanitizers(const std::string& name) {
  return StartsWith(name, "__odr_asan_gen_") || name == "___asan_globals_registered";
}

// The last part of a name in our namespace, or "": _ZN9tflite_eq13kDirectAvx512E is kDirectAvx512.
std::string NameInNamespace(const std::string& mangled) {
  constexpr char kNamespace[] = "_ZN9tflite_eq";
  if (!StartsWith(mangled, kNamespace)) return "";
  const size_t begin = mangled.find_first_not_of("0123456789", sizeof(kNamespace) - 1);
  const size_t length = std::strtoul(mangled.c_str() + sizeof(kNamespace) - 1, nullptr, 10);
  return length > 0 && begin != std::string::npos && mangled[begin + length] == 'E' ? mangled.substr(begin, length) : "";
}

TEST(IsaSymbols, KernelsAndNothingElse) {
  const char* libraries = std::getenv("LIBRARIES");
  ASSERT_NE(libraries, nullptr);
  std::istringstream words(libraries);
  std::map<std::string, int> kernels;  // by name, with the libraries that define them
  int seen = 0;
  for (std::string path; words >> path;) {
    SCOPED_TRACE(path);
    ++seen;
    const bool for_test = path.find("for_test") != std::string::npos;
    for (const std::string& object : ObjectsOf(path)) {
      for (const Symbol& symbol : SymbolsOfObject(object)) {
        if (IsSanitizers(symbol.name)) continue;
        const std::string name = NameInNamespace(symbol.name);
        if (for_test) {
          EXPECT_TRUE(symbol.function && !symbol.weak && StartsWith(name, "RequantizeForTest")) << symbol.name;
          continue;
        }
        EXPECT_TRUE(!symbol.function && !symbol.weak && name.size() > 1 && name[0] == 'k') << symbol.name;
        ++kernels[name];
      }
    }
  }
  // Every kernel that is compiled for an instruction set was seen, at every level, and so was every table of elementwise kernels.
#if defined(__x86_64__)
  size_t expected = 3;
#else
  size_t expected = 1;
#endif
  for (int algorithm = 0; algorithm < kAlgorithmCount; ++algorithm) {
    for (Isa isa : kIsas) {
      expected += isa != Isa::kScalar && FindKernel(static_cast<Algorithm>(algorithm), isa) != nullptr;
    }
  }
  EXPECT_EQ(kernels.size(), expected);
  constexpr int kLevels = 4;
  EXPECT_EQ(seen % kLevels, 0);
  for (const auto& kernel : kernels) EXPECT_EQ(kernel.second, kLevels) << kernel.first;
}

}  // namespace
}  // namespace tflite_eq
