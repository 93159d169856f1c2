// A QEMU plugin that counts how often each translated block of arm64 code runs between two markers, and where the data was:
//
//   qemu-aarch64 -plugin file=libcount_blocks.so,output=FILE[,cache=BYTES:WAYS]... PROGRAM...
//
// The markers are two hints that no CPU gives a meaning (guest/machine_code.py); outside of them nothing is counted. At each end
// marker a line is appended to FILE, a JSON object,
//
//   {"blocks": [[address, "machine code in hexadecimal", executions, [misses, ...]], ...]}
//
// With caches given (cache_model.h), the first level first, `misses` are for each place behind the first level, memory the last
// of them, how many lines were found there: two numbers, those whose latency the program sees and those that it does not,
// because a prefetcher was there before it, or because they were stored to. Without caches there are none of these numbers, and
// programs run several times faster. Caches are filled from the first begin marker on.
//
// Threads that run at the same time are counted together, and not exactly: numbers are added to without a lock.
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache_model.h"
#include "qemu_plugin.h"

static const uint32_t kBeginMarker = 0xd5032f1f;  // hint #120
static const uint32_t kEndMarker = 0xd5032f3f;    // hint #121

enum Exposure { kExposed, kHidden, kExposures };

// One per translation: code that is translated again gets another.
struct Block {
  uint64_t address;
  uint64_t executions;
  uint64_t misses[kMaxCacheLevels][kExposures];  // by the place behind the first level
  struct Block *next;
  size_t length;
  uint32_t code[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct Block *blocks;
static FILE *output;
static struct CacheModel caches;
static int caches_run;  // from the first marker on

static void OnBeginMarker(unsigned int cpu, void *data) {
  (void)cpu, (void)data;
  pthread_mutex_lock(&lock);
  for (struct Block *block = blocks; block != NULL; block = block->next) {
    block->executions = 0;
    memset(block->misses, 0, sizeof(block->misses));
  }
  caches_run = 1;
  pthread_mutex_unlock(&lock);
}

static void Print(const struct Block *block) {
  fprintf(output, "[%" PRIu64 ", \"", block->address);
  // As it is in memory: the low byte first.
  for (size_t i = 0; i < block->length; ++i) {
    for (int shift = 0; shift < 32; shift += 8) fprintf(output, "%02x", (unsigned)(block->code[i] >> shift & 0xff));
  }
  fprintf(output, "\", %" PRIu64 ", [", block->executions);
  for (size_t i = 0; i < caches.count; ++i) {
    fprintf(output, "%s%" PRIu64 ", %" PRIu64, i == 0 ? "" : ", ", block->misses[i][kExposed], block->misses[i][kHidden]);
  }
  fprintf(output, "]]");
}

static void OnEndMarker(unsigned int cpu, void *data) {
  (void)cpu, (void)data;
  pthread_mutex_lock(&lock);
  const char *separator = "{\"blocks\": [";
  for (const struct Block *block = blocks; block != NULL; block = block->next) {
    if (block->executions == 0) continue;
    fputs(separator, output);
    Print(block);
    separator = ", ";
  }
  fprintf(output, "]}\n");
  fflush(output);
  pthread_mutex_unlock(&lock);
}

static void OnAccess(unsigned int cpu, qemu_plugin_meminfo_t access, uint64_t address, void *data) {
  (void)cpu;
  if (!caches_run) return;
  struct Block *block = data;
  const uint64_t end = address + (UINT64_C(1) << qemu_plugin_mem_size_shift(access)) - 1;
  for (uint64_t line = address >> kLineBits; line <= end >> kLineBits; ++line) {
    const struct CacheTouch touch = CacheModelTouch(&caches, line);
    if (touch.level == 0) continue;
    // Nothing waits for a store.
    const enum Exposure exposure = touch.streamed || qemu_plugin_mem_is_store(access) ? kHidden : kExposed;
    ++block->misses[touch.level - 1][exposure];
  }
}

static void OnTranslation(qemu_plugin_id_t id, struct qemu_plugin_tb *translation) {
  (void)id;
  const size_t length = qemu_plugin_tb_n_insns(translation);
  struct Block *block = calloc(1, sizeof(struct Block) + length * sizeof(uint32_t));
  if (block == NULL) abort();  // an emulator that goes on would count wrongly
  block->address = qemu_plugin_tb_vaddr(translation);
  block->length = length;
  for (size_t i = 0; i < length; ++i) {
    struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(translation, i);
    const uint32_t *code = &block->code[i];
    memcpy(&block->code[i], qemu_plugin_insn_data(instruction), sizeof(*code));
    if (*code == kBeginMarker || *code == kEndMarker) {
      qemu_plugin_register_vcpu_insn_exec_cb(instruction, *code == kBeginMarker ? OnBeginMarker : OnEndMarker,
                                             QEMU_PLUGIN_CB_NO_REGS, NULL);
    }
    if (caches.count != 0) {
      qemu_plugin_register_vcpu_mem_cb(instruction, OnAccess, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, block);
    }
  }
  qemu_plugin_register_vcpu_tb_exec_inline(translation, QEMU_PLUGIN_INLINE_ADD_U64, &block->executions, 1);
  pthread_mutex_lock(&lock);
  block->next = blocks;
  blocks = block;
  pthread_mutex_unlock(&lock);
}

int qemu_plugin_version = 1;

// The text behind NAME= of an option; NULL: another option.
static const char *ValueOf(const char *option, const char *name) {
  const size_t length = strlen(name);
  return strncmp(option, name, length) == 0 && option[length] == '=' ? option + length + 1 : NULL;
}

static int Refuse(const char *option, const char *reason) {
  fprintf(stderr, "count_blocks: option %s: %s\n", option, reason);
  return -1;
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
  (void)info;
  for (int i = 0; i < argc; ++i) {
    const char *value;
    if ((value = ValueOf(argv[i], "output")) != NULL) {
      output = fopen(value, "a");
      if (output == NULL) return Refuse(argv[i], "cannot be opened for writing");
    } else if ((value = ValueOf(argv[i], "cache")) != NULL) {
      uint64_t bytes, ways;
      if (sscanf(value, "%" SCNu64 ":%" SCNu64, &bytes, &ways) != 2 || CacheModelAddLevel(&caches, bytes, ways) != 0) {
        return Refuse(argv[i], "takes BYTES:WAYS, a power of two of sets, up to three levels");
      }
    } else {
      return Refuse(argv[i], "is not one; there are output=FILE and cache=BYTES:WAYS");
    }
  }
  if (output == NULL) return Refuse("output=FILE", "is missing");
  qemu_plugin_register_vcpu_tb_trans_cb(id, OnTranslation);
  return 0;
}
