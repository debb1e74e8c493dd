/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the counter uses of QEMU's interface for TCG plugins, version 7 (QEMU 11.1),
 * and of GLib, whose arrays that interface is made of.  Debian has no package with
 * QEMU's header, so these are declarations of our own; QEMU refuses a plugin of a
 * version that it does not know.
 */
#ifndef PERF_PLUGIN_H
#define PERF_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLUGIN_EXPORT	__attribute__((visibility("default")))

enum { PLUGIN_VERSION = 7 };

/* GLib: bytes that grow; the array's elements, and how many there are. */
struct GByteArray {
	uint8_t		*data;
	unsigned int	len;
};

struct GArray {
	char		*data;
	unsigned int	len;
};

struct GByteArray *g_byte_array_new(void);
struct GByteArray *g_byte_array_set_size(struct GByteArray *array, unsigned int length);
char *g_array_free(struct GArray *array, int and_its_elements);

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_register;
struct qemu_plugin_scoreboard;

/* A number at @offset of each processor's entry. */
struct qemu_plugin_u64 {
	struct qemu_plugin_scoreboard	*score;
	size_t				offset;
};

struct qemu_plugin_reg_descriptor {
	struct qemu_plugin_register	*handle;
	const char			*name;
	const char			*feature;
	bool				is_readonly;
};

/* What a callback does with the processor's registers. */
enum qemu_plugin_cb_flags {
	QEMU_PLUGIN_CB_NO_REGS,
	QEMU_PLUGIN_CB_R_REGS,
};

enum qemu_plugin_op {
	QEMU_PLUGIN_INLINE_ADD_U64,
};

typedef void (*plugin_vcpu_cb)(unsigned int vcpu, void *data);
typedef void (*plugin_block_cb)(struct qemu_plugin_tb *tb, void *data);

void qemu_plugin_register_vcpu_init_cb(uint64_t id, plugin_vcpu_cb cb,
				       void *data);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id,
					   plugin_block_cb cb, void *data);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
					  plugin_vcpu_cb cb,
					  enum qemu_plugin_cb_flags flags,
					  void *data);
void qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(struct qemu_plugin_tb *tb,
						       enum qemu_plugin_op op,
						       struct qemu_plugin_u64 entry,
						       uint64_t value);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    plugin_vcpu_cb cb,
					    enum qemu_plugin_cb_flags flags,
					    void *data);

uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb,
						 size_t number);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *to,
			     size_t room);

/* Descriptors; the caller frees the array. */
struct GArray *qemu_plugin_get_registers(void);
/* They append to @to. */
bool qemu_plugin_read_register(struct qemu_plugin_register *handle, struct GByteArray *to);
bool qemu_plugin_read_memory_vaddr(uint64_t addr, struct GByteArray *to, size_t len);

struct qemu_plugin_scoreboard *qemu_plugin_scoreboard_new(size_t entry_size);
void *qemu_plugin_scoreboard_find(struct qemu_plugin_scoreboard *board,
				  unsigned int vcpu);
uint64_t qemu_plugin_u64_sum(struct qemu_plugin_u64 entry);

#endif
