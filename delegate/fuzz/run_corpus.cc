// Runs every file of a folder through a fuzz target: what the fuzzer found once is tested for ever, in builds that have no fuzzer.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int main(int argc, char** argv) {
  int inputs = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      printf("%s\n", entry.path().c_str());
      fflush(stdout);  // names the input that ends the process
      std::ifstream file(entry.path(), std::ios::binary);
      const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
      // Memory of its own size, for sanitizers.
      const std::vector<uint8_t> copy(bytes.begin(), bytes.end());
      LLVMFuzzerTestOneInput(copy.data(), copy.size());
      ++inputs;
    }
  }
  printf("%d inputs\n", inputs);
  return inputs > 0 ? 0 : 1;
}
