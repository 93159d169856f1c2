// tflite_abi.h against TFLite's own headers, at compile time: every field and constant the library uses lies where TFLite has
// it. Nothing to run; runtime_tests/test_abi.py compiles this with the headers that fetch_headers.sh gets.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "tensorflow/lite/builtin_ops.h"
#include "tensorflow/lite/c/builtin_op_data.h"
#include "tensorflow/lite/c/common.h"
#include "tensorflow/lite/profiling/telemetry/c/profiler.h"

namespace mirror {
#include "delegate/benchmark/tflite_c_types.h"
#include "delegate/tflite_abi.h"
}

#define SAME_FIELD(type, field) \
  static_assert(offsetof(mirror::type, field) == offsetof(::type, field), "offset of " #type "::" #field); \
  static_assert(sizeof(mirror::type::field) == sizeof(::type::field), "size of " #type "::" #field)
#define SAME_SIZE(type) static_assert(sizeof(mirror::type) == sizeof(::type), "size of " #type)
// Structures the library hands to the runtime: at least as long as the runtime's, which may read all of its own.
#define AT_LEAST_AS_LONG(type) static_assert(sizeof(mirror::type) >= sizeof(::type), "size of " #type)
#define SAME_VALUE(name) static_assert(int{mirror::name} == int{::name}, "value of " #name)

SAME_VALUE(kTfLiteOk);
SAME_VALUE(kTfLiteError);
SAME_VALUE(kTfLiteDelegateError);
SAME_VALUE(kTfLiteNoType);
SAME_VALUE(kTfLiteFloat32);
SAME_VALUE(kTfLiteInt32);
SAME_VALUE(kTfLiteUInt8);
SAME_VALUE(kTfLiteInt64);
SAME_VALUE(kTfLiteBool);
SAME_VALUE(kTfLiteInt16);
SAME_VALUE(kTfLiteInt8);
SAME_VALUE(kTfLitePaddingUnknown);
SAME_VALUE(kTfLitePaddingSame);
SAME_VALUE(kTfLitePaddingValid);
SAME_VALUE(kTfLiteActNone);
SAME_VALUE(kTfLiteActRelu);
SAME_VALUE(kTfLiteActReluN1To1);
SAME_VALUE(kTfLiteActRelu6);
SAME_VALUE(kTfLiteMemNone);
SAME_VALUE(kTfLiteMmapRo);
SAME_VALUE(kTfLiteArenaRw);
SAME_VALUE(kTfLiteDynamic);
SAME_VALUE(kTfLiteNoQuantization);
SAME_VALUE(kTfLiteAffineQuantization);
SAME_VALUE(kTfLiteBuiltinAdd);
SAME_VALUE(kTfLiteBuiltinAveragePool2d);
SAME_VALUE(kTfLiteBuiltinConcatenation);
SAME_VALUE(kTfLiteBuiltinConv2d);
SAME_VALUE(kTfLiteBuiltinDepthwiseConv2d);
SAME_VALUE(kTfLiteBuiltinMaxPool2d);
SAME_VALUE(kTfLiteBuiltinMul);
SAME_VALUE(kTfLiteBuiltinRelu);
SAME_VALUE(kTfLiteBuiltinReluN1To1);
SAME_VALUE(kTfLiteBuiltinRelu6);
SAME_VALUE(kTfLiteBuiltinReshape);
SAME_VALUE(kTfLiteBuiltinResizeBilinear);
SAME_VALUE(kTfLiteBuiltinPad);
SAME_VALUE(kTfLiteBuiltinMean);
SAME_VALUE(kTfLiteBuiltinSub);
SAME_VALUE(kTfLiteBuiltinSqueeze);
SAME_VALUE(kTfLiteBuiltinDelegate);
SAME_VALUE(kTfLiteBuiltinPrelu);
SAME_VALUE(kTfLiteBuiltinPadv2);
SAME_VALUE(kTfLiteBuiltinResizeNearestNeighbor);
SAME_VALUE(kTfLiteBuiltinLeakyRelu);
SAME_VALUE(kTfLiteBuiltinQuantize);
SAME_VALUE(kTfLiteBuiltinHardSwish);
SAME_VALUE(kTfLiteBuiltinDepthToSpace);
SAME_VALUE(kTfLiteBuiltinLogistic);
SAME_VALUE(kTfLiteBuiltinSpaceToDepth);
SAME_VALUE(kTfLiteBuiltinTanh);
SAME_VALUE(kTfLiteBuiltinTranspose);
SAME_VALUE(kTfLiteBuiltinStridedSlice);
SAME_VALUE(kTfLiteBuiltinSplit);
SAME_VALUE(kTfLiteBuiltinMaximum);
SAME_VALUE(kTfLiteBuiltinMinimum);
SAME_VALUE(kTfLiteBuiltinSlice);
SAME_VALUE(kTfLiteBuiltinExpandDims);
SAME_VALUE(kTfLiteBuiltinPack);
SAME_VALUE(kTfLiteBuiltinUnpack);
SAME_VALUE(kTfLiteBuiltinMirrorPad);
SAME_VALUE(kTfLiteBuiltinSplitV);
SAME_VALUE(kTfLiteBuiltinExp);
SAME_VALUE(kTfLiteBuiltinTransposeConv);
SAME_VALUE(kTfLiteBuiltinReduceMax);
SAME_VALUE(kTfLiteBuiltinReduceMin);
SAME_VALUE(kTfLiteBuiltinAbs);
SAME_VALUE(kTfLiteBuiltinGelu);
SAME_VALUE(kTfLiteBuiltinRelu0To1);
SAME_VALUE(kTfLiteMirrorPaddingUnknown);
SAME_VALUE(kTfLiteMirrorPaddingReflect);
SAME_VALUE(kTfLiteMirrorPaddingSymmetric);
SAME_VALUE(kTfLiteDelegateFlagsAllowDynamicTensors);
SAME_VALUE(kTfLiteDelegateFlagsRequirePropagatedShapes);
static_assert(sizeof(mirror::TfLiteStatus) == sizeof(::TfLiteStatus), "size of TfLiteStatus");

SAME_FIELD(TfLiteIntArray, size);
static_assert(offsetof(mirror::TfLiteIntArray, data) == offsetof(::TfLiteIntArray, data), "offset of TfLiteIntArray::data");
SAME_FIELD(TfLiteFloatArray, size);
static_assert(offsetof(mirror::TfLiteFloatArray, data) == offsetof(::TfLiteFloatArray, data),
              "offset of TfLiteFloatArray::data");

SAME_FIELD(TfLiteTensor, type);
SAME_FIELD(TfLiteTensor, data);
SAME_FIELD(TfLiteTensor, dims);
SAME_FIELD(TfLiteTensor, params);
SAME_FIELD(TfLiteTensor, params.scale);
SAME_FIELD(TfLiteTensor, params.zero_point);
SAME_FIELD(TfLiteTensor, allocation_type);
SAME_FIELD(TfLiteTensor, bytes);
SAME_FIELD(TfLiteTensor, name);
SAME_FIELD(TfLiteTensor, quantization);
SAME_FIELD(TfLiteTensor, quantization.type);
SAME_FIELD(TfLiteTensor, quantization.params);
SAME_SIZE(TfLiteTensor);  // context->tensors is an array of them

// The mirror of the parameters behind quantization.params carries another name: TFLite calls them as it calls the enumerator.
static_assert(offsetof(mirror::TfLiteAffineQuantizationParams, scale) == offsetof(::TfLiteAffineQuantization, scale), "");
static_assert(offsetof(mirror::TfLiteAffineQuantizationParams, zero_point) == offsetof(::TfLiteAffineQuantization, zero_point),
              "");
static_assert(offsetof(mirror::TfLiteAffineQuantizationParams, quantized_dimension) ==
                  offsetof(::TfLiteAffineQuantization, quantized_dimension),
              "");

SAME_FIELD(TfLiteNode, inputs);
SAME_FIELD(TfLiteNode, outputs);
SAME_FIELD(TfLiteNode, user_data);
SAME_FIELD(TfLiteNode, builtin_data);

SAME_FIELD(TfLiteConvParams, padding);
SAME_FIELD(TfLiteConvParams, stride_width);
SAME_FIELD(TfLiteConvParams, stride_height);
SAME_FIELD(TfLiteConvParams, activation);
SAME_FIELD(TfLiteConvParams, dilation_width_factor);
SAME_FIELD(TfLiteConvParams, dilation_height_factor);

SAME_FIELD(TfLiteDepthwiseConvParams, padding);
SAME_FIELD(TfLiteDepthwiseConvParams, stride_width);
SAME_FIELD(TfLiteDepthwiseConvParams, stride_height);
SAME_FIELD(TfLiteDepthwiseConvParams, depth_multiplier);
SAME_FIELD(TfLiteDepthwiseConvParams, activation);
SAME_FIELD(TfLiteDepthwiseConvParams, dilation_width_factor);
SAME_FIELD(TfLiteDepthwiseConvParams, dilation_height_factor);

SAME_FIELD(TfLitePoolParams, padding);
SAME_FIELD(TfLitePoolParams, stride_width);
SAME_FIELD(TfLitePoolParams, stride_height);
SAME_FIELD(TfLitePoolParams, filter_width);
SAME_FIELD(TfLitePoolParams, filter_height);
SAME_FIELD(TfLitePoolParams, activation);

SAME_FIELD(TfLiteTransposeConvParams, padding);
SAME_FIELD(TfLiteTransposeConvParams, stride_width);
SAME_FIELD(TfLiteTransposeConvParams, stride_height);
SAME_FIELD(TfLiteTransposeConvParams, activation);

SAME_FIELD(TfLiteGeluParams, approximate);

SAME_FIELD(TfLiteConcatenationParams, axis);
SAME_FIELD(TfLiteConcatenationParams, activation);

SAME_FIELD(TfLiteAddParams, activation);

SAME_FIELD(TfLiteSubParams, activation);

SAME_FIELD(TfLiteMulParams, activation);

SAME_FIELD(TfLiteReshapeParams, shape);
SAME_FIELD(TfLiteReshapeParams, num_dimensions);

SAME_FIELD(TfLiteSqueezeParams, squeeze_dims);
SAME_FIELD(TfLiteSqueezeParams, num_squeeze_dims);

SAME_FIELD(TfLiteLeakyReluParams, alpha);

SAME_FIELD(TfLiteReducerParams, keep_dims);

SAME_FIELD(TfLiteResizeBilinearParams, align_corners);
SAME_FIELD(TfLiteResizeBilinearParams, half_pixel_centers);

SAME_FIELD(TfLiteResizeNearestNeighborParams, align_corners);
SAME_FIELD(TfLiteResizeNearestNeighborParams, half_pixel_centers);

SAME_FIELD(TfLiteStridedSliceParams, begin_mask);
SAME_FIELD(TfLiteStridedSliceParams, end_mask);
SAME_FIELD(TfLiteStridedSliceParams, ellipsis_mask);
SAME_FIELD(TfLiteStridedSliceParams, new_axis_mask);
SAME_FIELD(TfLiteStridedSliceParams, shrink_axis_mask);
SAME_FIELD(TfLiteStridedSliceParams, offset);

SAME_FIELD(TfLiteSpaceToDepthParams, block_size);

SAME_FIELD(TfLiteDepthToSpaceParams, block_size);

SAME_FIELD(TfLitePackParams, values_count);
SAME_FIELD(TfLitePackParams, axis);

SAME_FIELD(TfLiteUnpackParams, num);
SAME_FIELD(TfLiteUnpackParams, axis);

SAME_FIELD(TfLiteMirrorPaddingParams, mode);

SAME_FIELD(TfLiteDelegateParams, delegate);
SAME_FIELD(TfLiteDelegateParams, nodes_to_replace);
SAME_FIELD(TfLiteDelegateParams, input_tensors);
SAME_FIELD(TfLiteDelegateParams, output_tensors);
SAME_SIZE(TfLiteDelegateParams);  // previewed partitions are an array of them

SAME_FIELD(TfLiteRegistration, init);
SAME_FIELD(TfLiteRegistration, free);
SAME_FIELD(TfLiteRegistration, prepare);
SAME_FIELD(TfLiteRegistration, invoke);
SAME_FIELD(TfLiteRegistration, profiling_string);
SAME_FIELD(TfLiteRegistration, builtin_code);
SAME_FIELD(TfLiteRegistration, custom_name);
SAME_FIELD(TfLiteRegistration, version);
AT_LEAST_AS_LONG(TfLiteRegistration);

SAME_FIELD(TfLiteContext, tensors_size);
SAME_FIELD(TfLiteContext, GetExecutionPlan);
SAME_FIELD(TfLiteContext, tensors);
SAME_FIELD(TfLiteContext, ResizeTensor);
SAME_FIELD(TfLiteContext, ReportError);
SAME_FIELD(TfLiteContext, GetNodeAndRegistration);
SAME_FIELD(TfLiteContext, ReplaceNodeSubsetsWithDelegateKernels);
SAME_FIELD(TfLiteContext, recommended_num_threads);
SAME_FIELD(TfLiteContext, PreviewDelegatePartitioning);

SAME_FIELD(TfLiteDelegate, data_);
SAME_FIELD(TfLiteDelegate, Prepare);
SAME_FIELD(TfLiteDelegate, CopyFromBufferHandle);
SAME_FIELD(TfLiteDelegate, CopyToBufferHandle);
SAME_FIELD(TfLiteDelegate, FreeBufferHandle);
SAME_FIELD(TfLiteDelegate, flags);
AT_LEAST_AS_LONG(TfLiteDelegate);

SAME_FIELD(TfLiteTelemetryProfilerStruct, data);
SAME_FIELD(TfLiteTelemetryProfilerStruct, ReportTelemetryEvent);
SAME_FIELD(TfLiteTelemetryProfilerStruct, ReportTelemetryOpEvent);
SAME_FIELD(TfLiteTelemetryProfilerStruct, ReportSettings);
SAME_FIELD(TfLiteTelemetryProfilerStruct, ReportBeginOpInvokeEvent);
SAME_FIELD(TfLiteTelemetryProfilerStruct, ReportEndOpInvokeEvent);
SAME_FIELD(TfLiteTelemetryProfilerStruct, ReportOpInvokeEvent);
AT_LEAST_AS_LONG(TfLiteTelemetryProfilerStruct);
