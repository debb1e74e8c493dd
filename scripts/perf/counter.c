// SPDX-License-Identifier: GPL-2.0-only
/*
 * A plugin of QEMU's TCG: what the lab host and its guests execute between two
 * marks, block by block.
 *
 * A mark is a long NOP whose displacement says what it is (kselftest/lab/mark.h).  At
 * each mark, what was executed since the one before is written out: a line in
 * FILE.laps with the sums, and in FILE.blocks for each translated block that
 * ran: mode, address (of the kernels' alone), instructions in it, how often it
 * ran.  The addresses are resolved afterwards, outside (collect.py), so that
 * looking closer costs nothing and disturbs nothing.
 *
 * Modes: k and u are the lab host's kernel and its programs, K and U the
 * guests'.  A block belongs to one mode for good, since QEMU keeps apart what
 * it translated for different modes.  A processor is in a guest from VMRUN on
 * until the host goes on at the instruction after it; there KVM's reason for
 * the exit is read from the VMCB, whose address VMRUN took in RAX.
 *
 * Counted is by the block: one that a fault cuts short counts as a whole, and
 * what is tried anew counts twice.  That is far below a percent of anything.
 *
 *	-plugin file=counter.so,out=FILE
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kselftest/lab/mark.h"
#include "scripts/perf/plugin.h"

PLUGIN_EXPORT int qemu_plugin_version = PLUGIN_VERSION;

/* The host's kernel must run with nokaslr: its map of all memory is here. */
#define DIRECT_MAP	0xffff888000000000ull
/* AMD's manual, volume 2, appendix B: the VMCB's control area. */
#define VMCB_EXITCODE	0x70
#define EXITCODES	0x404
/* Those above are counted together: an invalid VMCB, mostly. */
#define EXIT_OTHER	(EXITCODES - 1)

#define BLOCKS		1048576
#define BUCKETS		(2 * BLOCKS)
#define MAX_VCPUS	16

struct block {
	uint64_t pc;
	uint32_t insns;
	char mode;
};

/* What one processor has executed. */
struct counts {
	uint64_t runs[BLOCKS];
	uint64_t exits[EXITCODES];
};

struct vcpu {
	bool in_guest;
	uint64_t vmcb;
	struct qemu_plugin_register *rax;
	struct GByteArray *buffer;
};

static struct block blocks[BLOCKS];
static unsigned int n_blocks = 1;	/* block 0 is for what finds no room */
static uint32_t buckets[BUCKETS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct qemu_plugin_scoreboard *board;
static struct vcpu vcpus[MAX_VCPUS];
/* Where the host goes on after an exit. */
static uint64_t after_vmrun;
static __thread struct vcpu *self;

static uint64_t seen_runs[BLOCKS], seen_exits[EXITCODES];
static FILE *laps, *details;
static unsigned int n_laps;

static uint64_t hash(uint64_t pc, uint32_t insns, char mode)
{
	return ((pc * 31 + insns) * 31 + mode) * 0x9e3779b97f4a7c15ull;
}

/* The number of a block; the same one when it is translated again. */
static unsigned int block_number(uint64_t pc, uint32_t insns, char mode)
{
	uint32_t at = hash(pc, insns, mode) >> 43;
	struct block *block;
	unsigned int found;

	pthread_mutex_lock(&lock);
	while ((found = buckets[at])) {
		block = &blocks[found];
		if (block->pc == pc && block->insns == insns && block->mode == mode)
			break;
		at = (at + 1) % BUCKETS;
	}
	if (!found && n_blocks < BLOCKS) {
		found = n_blocks++;
		buckets[at] = found;
		blocks[found] = (struct block){ pc, insns, mode };
	}
	pthread_mutex_unlock(&lock);
	return found;
}

static uint64_t number_in(const struct GByteArray *buffer)
{
	uint64_t value;

	memcpy(&value, buffer->data, sizeof(value));
	return value;
}

/* Context: the processor is about to execute VMRUN. */
static void enter_guest(unsigned int index, void *unused)
{
	struct vcpu *vcpu = &vcpus[index];

	vcpu->in_guest = true;
	if (qemu_plugin_read_register(vcpu->rax, vcpu->buffer))
		vcpu->vmcb = number_in(vcpu->buffer);
	g_byte_array_set_size(vcpu->buffer, 0);
}

static uint64_t read_exitcode(struct vcpu *vcpu)
{
	uint64_t code = EXIT_OTHER;

	if (qemu_plugin_read_memory_vaddr(DIRECT_MAP + vcpu->vmcb + VMCB_EXITCODE,
					  vcpu->buffer, sizeof(code)))
		code = number_in(vcpu->buffer);
	g_byte_array_set_size(vcpu->buffer, 0);
	return code < EXIT_OTHER ? code : EXIT_OTHER;
}

/* Context: the host goes on after VMRUN. */
static void leave_guest(unsigned int index, void *unused)
{
	struct counts *counts = qemu_plugin_scoreboard_find(board, index);
	struct vcpu *vcpu = &vcpus[index];

	if (!vcpu->in_guest)
		return;
	vcpu->in_guest = false;
	counts->exits[read_exitcode(vcpu)]++;
}

static uint64_t sum_of(size_t offset)
{
	struct qemu_plugin_u64 entry = { board, offset };

	return qemu_plugin_u64_sum(entry);
}

/* What was executed since the last lap, block by block; sums by mode. */
static void write_blocks(uint64_t sums[128])
{
	unsigned int i, last = n_blocks;

	for (i = 0; i < last; i++) {
		uint64_t runs = sum_of(offsetof(struct counts, runs[i]));
		uint64_t grown = runs - seen_runs[i];
		const struct block *block = &blocks[i];

		seen_runs[i] = runs;
		if (!grown)
			continue;
		sums[(int)block->mode] += grown * block->insns;
		fprintf(details, "%c %" PRIx64 " %u %" PRIu64 "\n",
			i ? block->mode : '?', block->pc, block->insns, grown);
	}
}

static uint64_t write_exits(void)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < EXITCODES; i++) {
		uint64_t exits = sum_of(offsetof(struct counts, exits[i]));
		uint64_t grown = exits - seen_exits[i];

		seen_exits[i] = exits;
		sum += grown;
		if (grown)
			fprintf(details, "x %x 0 %" PRIu64 "\n", i, grown);
	}
	return sum;
}

static void write_lap(unsigned int what)
{
	uint64_t sums[128] = { 0 }, exits;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	fprintf(details, "lap %u %u\n", n_laps, what);
	write_blocks(sums);
	exits = write_exits();
	fflush(details);
	fprintf(laps, "%u %u %jd.%06ld %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
		" %" PRIu64 "\n", n_laps, what, (intmax_t)now.tv_sec,
		now.tv_nsec / 1000, sums['k'], sums['u'], sums['K'], sums['U'], exits);
	fflush(laps);
	n_laps++;
}

static void marked(unsigned int index, void *what)
{
	pthread_mutex_lock(&lock);
	write_lap((uintptr_t)what);
	pthread_mutex_unlock(&lock);
}

static char mode_of(uint64_t pc, bool in_guest)
{
	bool kernel = pc >> 63;

	if (in_guest)
		return kernel ? 'K' : 'U';
	return kernel ? 'k' : 'u';
}

static void watch_insn(struct qemu_plugin_insn *insn)
{
	uint8_t bytes[8] = { 0 };
	size_t size = qemu_plugin_insn_data(insn, bytes, sizeof(bytes));
	uint32_t displacement;

	if (size == 3 && !memcmp(bytes, "\x0f\x01\xd8", 3)) {
		after_vmrun = qemu_plugin_insn_vaddr(insn) + 3;
		qemu_plugin_register_vcpu_insn_exec_cb(insn, enter_guest,
						       QEMU_PLUGIN_CB_R_REGS, NULL);
	} else if (size == 7 && !memcmp(bytes, "\x0f\x1f\x80", 3)) {
		memcpy(&displacement, bytes + 3, sizeof(displacement));
		if ((displacement & MARK_MASK) == MARK_MAGIC)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, marked,
				QEMU_PLUGIN_CB_NO_REGS,
				(void *)(uintptr_t)(displacement & ~MARK_MASK));
	}
}

/* Context: the thread of the processor that is about to execute the block. */
static void translated(struct qemu_plugin_tb *tb, void *unused)
{
	uint64_t pc = qemu_plugin_tb_vaddr(tb);
	size_t i, insns = qemu_plugin_tb_n_insns(tb);
	bool after = pc == after_vmrun;
	struct qemu_plugin_u64 entry = { board, 0 };
	char mode;

	/* What is translated there is the end of the guest's turn. */
	mode = mode_of(pc, self && self->in_guest && !after);
	/* Programs come and go, and their addresses say nothing. */
	if (mode == 'u' || mode == 'U')
		pc = 0;
	for (i = 0; i < insns; i++)
		watch_insn(qemu_plugin_tb_get_insn(tb, i));
	entry.offset = offsetof(struct counts, runs) +
		sizeof(uint64_t) * block_number(pc, insns, mode);
	qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(tb,
			QEMU_PLUGIN_INLINE_ADD_U64, entry, 1);
	if (after && mode == 'k')
		qemu_plugin_register_vcpu_tb_exec_cb(tb, leave_guest,
						     QEMU_PLUGIN_CB_NO_REGS, NULL);
}

static void vcpu_init(unsigned int index, void *unused)
{
	struct GArray *registers = qemu_plugin_get_registers();
	struct qemu_plugin_reg_descriptor *reg = (void *)registers->data;
	unsigned int i;

	if (index >= MAX_VCPUS) {
		fprintf(stderr, "counter: more than %d processors\n", MAX_VCPUS);
		exit(1);
	}
	self = &vcpus[index];
	self->buffer = g_byte_array_new();
	for (i = 0; i < registers->len; i++)
		if (!strcmp(reg[i].name, "rax"))
			self->rax = reg[i].handle;
	g_array_free(registers, true);
}

static FILE *open_file(const char *base, const char *suffix)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s.%s", base, suffix);
	return fopen(path, "w");
}

PLUGIN_EXPORT int qemu_plugin_install(uint64_t id, const void *info,
				      int argc, char **argv)
{
	if (argc != 1 || strncmp(argv[0], "out=", 4)) {
		fprintf(stderr, "counter: out=FILE is missing\n");
		return -1;
	}
	laps = open_file(argv[0] + 4, "laps");
	details = open_file(argv[0] + 4, "blocks");
	if (!laps || !details) {
		perror("counter");
		return -1;
	}
	board = qemu_plugin_scoreboard_new(sizeof(struct counts));
	qemu_plugin_register_vcpu_init_cb(id, vcpu_init, NULL);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated, NULL);
	return 0;
}
