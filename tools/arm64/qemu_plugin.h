// The part of QEMU's plugin interface (TCG Plugins, version 1 of the API: QEMU 4.2 to 8.2) that count_blocks.c uses,
// declared from its documentation: no Debian package has the header.
#ifndef TFLITE_EQ_TOOLS_ARM64_QEMU_PLUGIN_H_
#define TFLITE_EQ_TOOLS_ARM64_QEMU_PLUGIN_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QEMU_PLUGIN_EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
typedef struct qemu_info_t qemu_info_t;

// A translation block: instructions that are translated at once and run one after the other.
struct qemu_plugin_tb;
struct qemu_plugin_insn;

enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
enum qemu_plugin_mem_rw { QEMU_PLUGIN_MEM_R = 1, QEMU_PLUGIN_MEM_W, QEMU_PLUGIN_MEM_RW };
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };

// What a plugin exports: the version of the interface it was written for, and its start.
extern QEMU_PLUGIN_EXPORT int qemu_plugin_version;
QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv);

// `translated` is called once for every block that is translated, not every time it runs.
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                           void (*translated)(qemu_plugin_id_t id, struct qemu_plugin_tb *block));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *block);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *instruction);

// Has the block add to a number each time it runs, by code among its own.
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *block, enum qemu_plugin_op operation, void *number,
                                              uint64_t addend);
// Has the instruction call a function each time it runs.
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *instruction,
                                            void (*runs)(unsigned int cpu, void *data),
                                            enum qemu_plugin_cb_flags flags, void *data);

// Has the instruction call a function for each of its accesses to memory: a vector's is made of several.
typedef uint32_t qemu_plugin_meminfo_t;
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *instruction,
                                      void (*accesses)(unsigned int cpu, qemu_plugin_meminfo_t access, uint64_t address,
                                                       void *data),
                                      enum qemu_plugin_cb_flags flags, enum qemu_plugin_mem_rw which, void *data);
// The access's size is 1 << shift bytes.
unsigned int qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t access);
bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t access);

#endif  // TFLITE_EQ_TOOLS_ARM64_QEMU_PLUGIN_H_
