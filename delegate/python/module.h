// The parts of the Python module _kernels. A thin layer: it checks shapes and ranges, and calls.
#ifndef TFLITE_EQ_DELEGATE_PYTHON_MODULE_H_
#define TFLITE_EQ_DELEGATE_PYTHON_MODULE_H_

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>

#include "delegate/kernels/conv_types.h"

namespace tflite_eq {

// Arrays are taken as they are when contiguous; only conversions that lose nothing are made.
template <typename T>
using InputArray = pybind11::array_t<T, pybind11::array::c_style>;

// Throw ValueError when the name is unknown.
Algorithm ParseAlgorithm(const std::string& name);
Isa ParseIsa(const std::string& name);

void BindArithmetic(pybind11::module_& m);   // requantization
void BindTransforms(pybind11::module_& m);   // Winograd transforms of single tiles
void BindConvolution(pybind11::module_& m);  // certificates, plan, kernels
void BindModel(pybind11::module_& m);        // what the delegate would claim of a model

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_PYTHON_MODULE_H_
