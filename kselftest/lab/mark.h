/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARK_H
#define MARK_H

/*
 * A mark is an instruction that does nothing, but that the plugin counter.c
 * knows: a NOP with a displacement of four bytes, of which the last says what
 * is marked.  It may stand in any program, of the host or of a guest.
 */
#define MARK_MAGIC	0x6b747700u
#define MARK_MASK	0xffffff00u

/* A window begins; one that was open ends. */
#define MARK_LAP	1

#define mark(what) ({ \
	asm volatile(".byte 0x0f, 0x1f, 0x80\n\t.long %c0" \
		     :: "i" (MARK_MAGIC | (what)) : "memory"); \
})

#endif
