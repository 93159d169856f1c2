// Golden vectors: what TFLite's reference kernels answered. tests/golden/vectors.py and operators.py describe the files.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_GOLDEN_FILE_H_
#define TFLITE_EQ_DELEGATE_KERNELS_GOLDEN_FILE_H_

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "delegate/kernels/requantize.h"

namespace tflite_eq {

struct NumberList {
  std::vector<int> shape;
  std::vector<int> values;

  std::vector<int8_t> codes() const { return {values.begin(), values.end()}; }
};

struct GoldenCase {
  std::string name;
  std::map<std::string, std::string> fields;

  bool Has(const std::string& field) const { return fields.count(field) != 0; }
  int Integer(const std::string& field) const { return std::stoi(fields.at(field)); }
  // Hexadecimal, which streams do not read.
  float Scale(const std::string& field) const { return std::strtof(fields.at(field).c_str(), nullptr); }
  std::vector<float> Scales(const std::string& field) const {
    std::vector<float> scales;
    std::istringstream words(fields.at(field));
    for (std::string word; words >> word;) scales.push_back(std::strtof(word.c_str(), nullptr));
    return scales;
  }
  std::vector<int> Integers(const std::string& field) const {
    std::vector<int> values;
    std::istringstream words(fields.at(field));
    for (int value; words >> value;) values.push_back(value);
    return values;
  }
  NumberList Numbers(const std::string& field) const {
    NumberList list;
    std::istringstream words(fields.at(field));
    bool shape = true;
    for (std::string word; words >> word;) {
      if (word == ":") {
        shape = false;
      } else if (word == "all") {
        for (int code = -128; code < 128; ++code) list.values.push_back(code);
      } else {
        (shape ? list.shape : list.values).push_back(std::stoi(word));
      }
    }
    return list;
  }
};

// None where there is no such file.
inline std::vector<GoldenCase> ReadGoldenCases(const std::string& path) {
  std::vector<GoldenCase> cases;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const size_t space = line.find(' ');
    const std::string key = line.substr(0, space);
    if (key == "#" || space == std::string::npos) continue;
    if (key == "case") {
      cases.emplace_back();
      cases.back().name = line.substr(space + 1);
    } else {
      cases.back().fields[key] = line.substr(space + 1);
    }
  }
  return cases;
}

inline Activation ActivationFromName(const std::string& name) {
  return name == "RELU"           ? Activation::kRelu
         : name == "RELU6"        ? Activation::kRelu6
         : name == "RELU_N1_TO_1" ? Activation::kReluN1To1
         : name == "RELU_0_TO_1"  ? Activation::kRelu0To1
                                  : Activation::kNone;
}

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_GOLDEN_FILE_H_
