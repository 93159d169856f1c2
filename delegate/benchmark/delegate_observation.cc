#include "delegate/benchmark/delegate_observation.h"

#include <stdio.h>

namespace tflite_eq {

DelegateObservation::DelegateObservation() {
  observer_.version = TFLITE_EQ_OBSERVER_VERSION;
  observer_.user_data = this;
  observer_.node_decided = OnDecision;
  observer_.node_finished = OnLayer;
  observer_.partition_finished = OnPartition;
}

void DelegateObservation::OnDecision(void* self, const TfLiteEqNodeDecision* decision) {
  Decision kept = {};
  kept.node = decision->node;
  kept.claimed = decision->claimed;
  snprintf(kept.op, sizeof(kept.op), "%s", decision->op);
  snprintf(kept.output, sizeof(kept.output), "%s", decision->output);
  snprintf(kept.reason, sizeof(kept.reason), "%s", decision->reason);
  static_cast<DelegateObservation*>(self)->decisions_.Add(kept);
}

void DelegateObservation::OnLayer(void* self, const TfLiteEqNodeProfile* profile) {
  Layer layer = {};
  layer.profile = *profile;
  layer.profile.op = nullptr;
  layer.profile.kernel = nullptr;
  layer.profile.isa = nullptr;
  snprintf(layer.op, sizeof(layer.op), "%s", profile->op);
  snprintf(layer.kernel, sizeof(layer.kernel), "%s", profile->kernel);
  snprintf(layer.isa, sizeof(layer.isa), "%s", profile->isa);
  static_cast<DelegateObservation*>(self)->layers_.Add(layer);
}

void DelegateObservation::OnPartition(void* self, const TfLiteEqPartitionProfile* profile) {
  static_cast<DelegateObservation*>(self)->partitions_.Add(*profile);
}

int DelegateObservation::claimed() const {
  int count = 0;
  for (const Decision& decision : decisions_) count += decision.claimed;
  return count;
}

TfLiteEqPartitionProfile DelegateObservation::total() const {
  TfLiteEqPartitionProfile total = {};
  for (const TfLiteEqPartitionProfile& partition : partitions_) {
    total.nodes += partition.nodes;
    total.prepare_milliseconds += partition.prepare_milliseconds;
    total.packed_bytes += partition.packed_bytes;
    // They share that memory.
    if (partition.scratch_bytes > total.scratch_bytes) total.scratch_bytes = partition.scratch_bytes;
    if (partition.tensor_bytes > total.tensor_bytes) total.tensor_bytes = partition.tensor_bytes;
  }
  return total;
}

}  // namespace tflite_eq
