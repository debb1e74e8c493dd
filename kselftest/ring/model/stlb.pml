// SPDX-License-Identifier: GPL-2.0-only
/*
 * The software TLB of virtio-fastpath/stlb.c, and the owner's page tables: what an
 * access section writes to is at that time mapped there, and writable; and what was
 * written is not lost.  A page of a buffer and one of the ring; who fills, a section,
 * and two who change the page tables, one of which may be the owner's end.
 *
 * Who changes the page tables does so in one of the ways of the kernel's that matter
 * here, at any time.  That a frame which is let go becomes somebody else's need not be
 * told: to write to one that is not mapped is an error already.
 *
 * With one of these defined, it is not so:
 *
 * NO_COMPARE		who fills does not compare changes
 * NO_UNDER_WAY		who fills does not look whether a change is under way
 * UNDER_WAY_FLAG	under_way is a flag, not a count
 * ENTER_UNLOCKED	who fills compares with the lock, and enters without
 * GUP_READ		who fills does not ask for a page that may be written to
 * NO_DIRTY		who fills does not mark the page dirty
 * LATE_DIRTY		who fills marks the page dirty after he has let it go
 * SECTION_UNLOCKED	a section is without the lock
 * NO_DROP		a change does not drop pages
 * NO_DROP_RING		a change drops buffers' pages, and not the ring's
 * DROP_UNLOCKED	a change drops pages after it has let the lock go
 * START_UNLOCKED	a change begins without the lock
 * LATE_START		a change begins after the page tables have changed
 * NO_END		a change does not end
 * OWNER_ENDS		the owner's end is a change that ends
 */
#ifndef ROUNDS
#define ROUNDS	1		/* changes that each makes */
#endif
#ifndef PAGES
#define PAGES	2
#endif
#define BUFFER	0
#define RING	(PAGES - 1)	/* the same if there is but one */
#define FRAMES	(PAGES + 1)	/* one to copy to */
#define NONE	FRAMES

/*
 * A section holds the lock over steps of its own.  All others hold it for one step, in
 * which nobody sees them.
 */
bool locked;
byte changes, under_way;
byte entry[PAGES] = NONE;

/* The page tables; and the frames, which are free without a reference. */
byte pte[PAGES] = NONE;
bool writable[PAGES];
byte refs[FRAMES];
bool dirty[FRAMES];
bool written[FRAMES];		/* by a section, and nowhere else yet */

byte changers = 2;
bool gone;			/* the owner: no fault is served any more */

inline drop(page)
{
#ifndef NO_DROP
#ifdef NO_DROP_RING
	if
	:: page == RING
	:: else -> entry[page] = NONE
	fi
#else
	entry[page] = NONE
#endif
#endif
	skip
}

inline count_change()
{
	changes++;
#ifdef UNDER_WAY_FLAG
	under_way = 1
#else
	under_way++
#endif
}

inline range_start(page)
{
#ifdef START_UNLOCKED
	count_change();
	drop(page)
#else
#ifdef DROP_UNLOCKED
	atomic { !locked; count_change() };
	drop(page)
#else
	atomic { !locked; count_change(); drop(page) }
#endif
#endif
}

inline range_end()
{
#ifndef NO_END
#ifdef UNDER_WAY_FLAG
	atomic { !locked; under_way = 0 }
#else
	atomic { !locked; under_way-- }
#endif
#endif
	skip
}

#ifdef LATE_START
#define BEFORE(page)	skip
#define AFTER(page)	range_start(page); range_end()
#else
#define BEFORE(page)	range_start(page)
#define AFTER(page)	range_end()
#endif

/* Or NONE. */
inline free_frame(frame)
{
	frame = 0;
	do
	:: frame == NONE || !refs[frame] -> break
	:: else -> frame++
	od
}

inline map(page, frame)
{
	pte[page] = frame;
	writable[page] = true;
	refs[frame] = 1;
	dirty[frame] = true;
	written[frame] = false
}

inline put(frame)
{
	d_step {
		refs[frame]--;
		if
		:: !refs[frame] -> dirty[frame] = false; written[frame] = false
		:: else
		fi
	}
}

/* @page's becomes another frame, as at a write after a fork, or if it is migrated. */
inline copy(page, old, new)
{
	atomic {
		old = pte[page];
		free_frame(new);
		if
		:: old != NONE && new != NONE ->
			map(page, new);
			/* What was written goes along. */
			written[new] = written[old];
			put(old)
		:: else
		fi;
		old = NONE;
		new = NONE
	}
}

/* A frame for who fills, referenced, or NONE. */
inline get_user_page(page, frame, other, copied)
{
	do
#ifdef GUP_READ
	:: atomic { pte[page] != NONE -> frame = pte[page]; refs[frame]++; break }
#else
	:: atomic {
		pte[page] != NONE && writable[page] ->
		frame = pte[page];
		refs[frame]++;
		break
	   }
#endif
	:: atomic {
		pte[page] == NONE && !gone ->
		free_frame(frame);
		if
		:: frame != NONE -> map(page, frame)
		:: else -> break
		fi
	   }
	:: atomic {
		pte[page] != NONE && !writable[page] && !gone ->
		writable[page] = true;
		dirty[pte[page]] = true
	   }
	:: pte[page] != NONE && !writable[page] && !gone && !copied ->
		copied = true;
		range_start(page);
		copy(page, frame, other);
		range_end()
	:: gone -> frame = NONE; break
	od
}

inline compare(seq, same)
{
#ifdef NO_COMPARE
	same = true
#else
	same = changes == seq
#endif
}

inline enter_if(page, frame, same)
{
	if
	:: same -> entry[page] = frame
	:: else
	fi
}

inline enter(page, frame, seq, same)
{
#ifdef ENTER_UNLOCKED
	atomic { !locked; compare(seq, same) };
	enter_if(page, frame, same)
#else
	atomic { !locked; compare(seq, same); enter_if(page, frame, same) }
#endif
}

/* As vfp_stlb_fill(). */
active proctype filler()
{
	byte page, seq, frame = NONE, other = NONE;
	bool settled, same, quiet, copied;

end:	do
	:: atomic {
		if
		:: page = BUFFER
		:: page = RING
		fi;
		!locked;
		quiet = !changers && !gone;
		settled = entry[page] == NONE;
#ifndef NO_UNDER_WAY
		settled = settled && !under_way;
#endif
		/* All there is must come in the end. */
		assert(settled || entry[page] != NONE || !quiet);
		seq = changes
	   };
		if
		:: settled ->
			get_user_page(page, frame, other, copied);
			if
			:: frame != NONE ->
				enter(page, frame, seq, same);
				assert(same || !quiet || copied);
#ifdef LATE_DIRTY
				put(frame);
#endif
#ifndef NO_DIRTY
				dirty[frame] = true;
#endif
#ifndef LATE_DIRTY
				put(frame)
#endif
			:: else
			fi
		:: else
		fi;
		d_step {
			/* Nobody keeps a frame for himself. */
			assert(!gone || changers || !refs[0] && !refs[1] && !refs[PAGES]);
			page = 0; seq = 0; frame = NONE; settled = false; same = false;
			quiet = false; copied = false
		}
	od
}

inline write_to(page, frame)
{
	d_step {
		assert(pte[page] == frame && writable[page] && refs[frame]);
		written[frame] = true
	}
}

active proctype section()
{
	byte buffer = NONE, ring = NONE;

end:	do
#ifdef SECTION_UNLOCKED
	:: atomic { buffer = entry[BUFFER]; ring = entry[RING] };
#else
	:: atomic {
		!locked;
		locked = true;
		buffer = entry[BUFFER];
		ring = entry[RING]
	   };
#endif
		if
		:: buffer != NONE && ring != NONE ->
			write_to(BUFFER, buffer);
			write_to(RING, ring)
		:: else
		fi;
		d_step { buffer = NONE; ring = NONE };
#ifndef SECTION_UNLOCKED
		locked = false
#endif
	od
}

inline unmap(page, frame)
{
	atomic { frame = pte[page]; pte[page] = NONE; writable[page] = false };
	atomic {
		if
		:: frame != NONE -> put(frame); frame = NONE
		:: else
		fi
	}
}

/* A fork; or before the page is written back, which it is if it is dirty. */
inline protect(page)
{
	d_step {
		writable[page] = false;
		if
		:: pte[page] != NONE && dirty[pte[page]] ->
			dirty[pte[page]] = false;
			written[pte[page]] = false
		:: else
		fi
	}
}

/* MADV_FREE: what was written until now may be lost, the page stays writable. */
inline give_up(page)
{
	d_step {
		if
		:: pte[page] != NONE ->
			dirty[pte[page]] = false;
			written[pte[page]] = false
		:: else
		fi
	}
}

/* Nobody else has a reference: written back if it is dirty, else just let go. */
inline reclaim(page)
{
	d_step {
		if
		:: pte[page] != NONE && refs[pte[page]] == 1 ->
			assert(dirty[pte[page]] || !written[pte[page]]);
			put(pte[page]);
			pte[page] = NONE;
			writable[page] = false
		:: else
		fi
	}
}

inline change(page, frame, other)
{
	BEFORE(page);
	if
	:: unmap(page, frame)
	:: protect(page)
	:: give_up(page)
	:: reclaim(page)
	:: copy(page, frame, other)
	fi;
	AFTER(page)
}

/* The last users of the address space are no more, but who fills may still be at it. */
inline owner_gone(frame)
{
	atomic {
		!locked;
		count_change();
		drop(BUFFER);
		drop(RING);
#ifdef OWNER_ENDS
		under_way--
#endif
	};
	gone = true;
	unmap(BUFFER, frame);
	unmap(RING, frame)
}

proctype changer(bool is_owner)
{
	byte page, rounds, frame = NONE, other = NONE;

	do
	:: rounds < ROUNDS ->
		atomic {
			rounds++;
			if
			:: page = BUFFER
			:: page = RING
			fi
		};
		change(page, frame, other);
		page = 0
	:: is_owner -> owner_gone(frame); break
	:: break
	od;
	changers--
}

init
{
	atomic { run changer(true); run changer(false) }
}
