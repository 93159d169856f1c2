// A QEMU plugin that counts the arm64 instructions executed between two markers:
//
//   qemu-aarch64 -plugin file=libcount_instructions.so,output=FILE PROGRAM...
//
// The markers are two hints that no CPU gives a meaning (guest/machine_code.py); outside of them nothing is counted. At each end
// marker a line is appended to FILE, a JSON object with the instructions in all and by class,
//
//   {"total": 12345, "vector": 6789, "memory": 3456, "branch": 890, "blocks": [[4325376, 12, 100], ...]}
//
// where "vector" are SIMD and floating-point instructions other than loads and stores, "memory" loads and stores of any kind,
// and "blocks" the executed blocks: address, instructions, executions. What is neither is scalar arithmetic.
//
// Threads that run at the same time are counted together, and not exactly: numbers are added to without a lock.
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu_plugin.h"

static const uint32_t kBeginMarker = 0xd5032f1f;  // hint #120
static const uint32_t kEndMarker = 0xd5032f3f;    // hint #121

enum { kTotal, kVector, kMemory, kBranch, kClasses };
static const char *const kNames[kClasses] = {"total", "vector", "memory", "branch"};

// One per translation: code that is translated again gets another.
struct Block {
  uint64_t address;
  uint64_t instructions[kClasses];
  uint64_t executions;
  struct Block *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct Block *blocks;
static FILE *output;

// By the first table of the A64 instruction set (Arm Architecture Reference Manual, C4.1).
static int ClassOf(uint32_t code) {
  if ((code >> 25 & 0x7) == 0x7) return kVector;
  if ((code >> 25 & 0x5) == 0x4) return kMemory;
  if ((code >> 26 & 0x7) == 0x5) return kBranch;
  return kTotal;
}

static void OnBeginMarker(unsigned int cpu, void *data) {
  (void)cpu, (void)data;
  pthread_mutex_lock(&lock);
  for (struct Block *block = blocks; block != NULL; block = block->next) block->executions = 0;
  pthread_mutex_unlock(&lock);
}

static void OnEndMarker(unsigned int cpu, void *data) {
  (void)cpu, (void)data;
  pthread_mutex_lock(&lock);
  uint64_t counts[kClasses] = {0};
  for (const struct Block *block = blocks; block != NULL; block = block->next) {
    for (int i = 0; i < kClasses; ++i) counts[i] += block->instructions[i] * block->executions;
  }
  for (int i = 0; i < kClasses; ++i) fprintf(output, "%s\"%s\": %" PRIu64, i == 0 ? "{" : ", ", kNames[i], counts[i]);
  const char *separator = ", \"blocks\": [";
  for (const struct Block *block = blocks; block != NULL; block = block->next) {
    if (block->executions == 0) continue;
    fprintf(output, "%s[%" PRIu64 ", %" PRIu64 ", %" PRIu64 "]", separator, block->address, block->instructions[kTotal],
            block->executions);
    separator = ", ";
  }
  fprintf(output, "]}\n");
  fflush(output);
  pthread_mutex_unlock(&lock);
}

static void OnTranslation(qemu_plugin_id_t id, struct qemu_plugin_tb *translation) {
  (void)id;
  struct Block *block = calloc(1, sizeof(struct Block));
  if (block == NULL) abort();  // an emulator that goes on would count wrongly
  block->address = qemu_plugin_tb_vaddr(translation);
  const size_t instructions = qemu_plugin_tb_n_insns(translation);
  for (size_t i = 0; i < instructions; ++i) {
    struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(translation, i);
    uint32_t code;
    memcpy(&code, qemu_plugin_insn_data(instruction), sizeof(code));
    ++block->instructions[kTotal];
    if (ClassOf(code) != kTotal) ++block->instructions[ClassOf(code)];
    if (code == kBeginMarker || code == kEndMarker) {
      qemu_plugin_register_vcpu_insn_exec_cb(instruction, code == kBeginMarker ? OnBeginMarker : OnEndMarker,
                                             QEMU_PLUGIN_CB_NO_REGS, NULL);
    }
  }
  qemu_plugin_register_vcpu_tb_exec_inline(translation, QEMU_PLUGIN_INLINE_ADD_U64, &block->executions, 1);
  pthread_mutex_lock(&lock);
  block->next = blocks;
  blocks = block;
  pthread_mutex_unlock(&lock);
}

int qemu_plugin_version = 1;

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
  (void)info;
  static const char kOption[] = "output=";
  if (argc != 1 || strncmp(argv[0], kOption, strlen(kOption)) != 0) {
    fprintf(stderr, "count_instructions: takes one option, output=FILE\n");
    return -1;
  }
  output = fopen(argv[0] + strlen(kOption), "a");
  if (output == NULL) {
    perror(argv[0]);
    return -1;
  }
  qemu_plugin_register_vcpu_tb_trans_cb(id, OnTranslation);
  return 0;
}
