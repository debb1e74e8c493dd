// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who pumps a queue that may be run in softirq, after kvm-twin/executor.c, softirq.c
 * and queue.c: one at a time; none when the queue is stopped; and no frame is left when
 * nobody is to come.  Frames come from two sides at any time, while the owner starts,
 * stops and looks at the queue.  Whose turn it is an event chooses freely: softirq's,
 * the worker's or the thread's that caused it.
 *
 * Memory is in order here; that it is so of SCHEDULED is another matter (litmus).
 *
 * With one of these defined, it is not so:
 *
 * NO_HELD		a poll does not look whether the queue is held
 * HELD_UNLOCKED	held is set without the lock, and waits for no section
 * POLL_UNLOCKED	a poll is without the lock
 * NO_MUTEX		the worker does not take the mutex
 * NO_TRYLOCK		who kicked goes on though somebody else has the mutex
 * LATE_UNSCHEDULE	a pump looks for the last time before it clears SCHEDULED
 * HELD_LEAVES		a poll of a held queue does not tell the worker
 * MISS_LEAVES		a poll that lacks a page does not tell the worker
 * MORE_LEAVES		a pump whose share is used up does not see to the next
 * BUSY_LEAVES		who kicked, and does not get the mutex, leaves
 * REST_LEAVES		who finds the queue stopped does not clear SCHEDULED
 * STOP_UNHELD		a stop does not hold the queue
 * START_UNHELD		a start does not hold the queue
 * START_QUIET		a start does not have the queue pumped
 */
#ifndef FRAMES
#define FRAMES	2		/* of each side */
#endif
#ifndef ROUNDS
#define ROUNDS	3		/* calls that the owner makes */
#endif

bool locked, mutex, held;
bool port = true;
bool scheduled;			/* KTWIN_VQ_SCHEDULED */
bool raised, queued, task;	/* softirq, the worker, who kicked: is to come */
byte waiting;			/* frames */
byte pumps;			/* how many are at the ring */
bool memory = true;		/* there is some that may be used */

#define BEGIN_LOCKED	atomic { !locked; locked = true }
#define END_LOCKED	locked = false

/* ktwin_vq_lock(), ktwin_vq_unlock() */
inline hold()
{
#ifdef HELD_UNLOCKED
	held = true
#else
	BEGIN_LOCKED;
	held = true;
	END_LOCKED
#endif
}

inline let_go()
{
	BEGIN_LOCKED;
	held = false;
	END_LOCKED
}

inline take()
{
	atomic { !mutex; mutex = true };
	hold()
}

inline release()
{
	let_go();
	mutex = false
}

/* An event; @was is the caller's. */
inline wake(was)
{
	d_step { was = scheduled; scheduled = true };
	if
	:: was
	:: !was -> raised = true
	:: !was -> queued = true
	:: !was && !task -> task = true
	fi;
	was = false
}

inline begin_use()
{
	pumps++;
	assert(pumps == 1 && memory)
}

inline end_use()
{
	assert(pumps == 1 && memory);
	pumps--
}

/* @next: who is to go on when the share is used up. */
inline pump(is_soft, next)
{
	begin_use();
	do
	:: waiting ->
		assert(memory);
		waiting--;
		if
		:: skip
		:: waiting -> /* the share is used up */
#ifndef MORE_LEAVES
			next = true;
#endif
			break
		fi
	:: waiting && is_soft -> /* a page is missing */
#ifndef MISS_LEAVES
		queued = true;
#endif
		break
	:: !waiting ->
		scheduled = false;
#ifdef LATE_UNSCHEDULE
		break
#else
		if
		:: !waiting -> break
		:: else ->
			atomic {
				if
				:: scheduled -> break
				:: else -> scheduled = true
				fi
			}
		fi
#endif
	od;
	end_use()
}

/* The queue is stopped. */
inline rest()
{
#ifndef REST_LEAVES
	scheduled = false
#endif
	skip
}

/* NAPI runs one at a time; nothing here depends on it. */
active [2] proctype poll()
{
end:	do
	:: atomic { raised -> raised = false };
#ifndef POLL_UNLOCKED
		BEGIN_LOCKED;
#endif
		if
#ifndef NO_HELD
		:: held ->
#ifndef HELD_LEAVES
			queued = true
#endif
			skip
		:: !held && !port -> rest()
		:: !held && port -> pump(true, raised)
#else
		:: !port -> rest()
		:: port -> pump(true, raised)
#endif
		fi;
#ifndef POLL_UNLOCKED
		END_LOCKED
#endif
	od
}

active proctype worker()
{
end:	do
	:: atomic { queued -> queued = false };
#ifdef NO_MUTEX
		hold();
#else
		take();
#endif
		if
		:: port -> pump(false, queued)
		:: else -> rest()
		fi;
#ifdef NO_MUTEX
		let_go()
#else
		release()
#endif
	od
}

/* As run_inline(): does not wait for the mutex. */
active proctype kicker()
{
	bool got;

end:	do
	:: task ->
		atomic { got = !mutex; mutex = true };
#ifdef NO_TRYLOCK
		got = true;
#endif
		if
		:: got -> hold()
		:: else
		fi;
		task = false;
		if
		:: !scheduled
		:: scheduled && got ->
			if
			:: port -> pump(false, queued)
			:: else -> rest()
			fi
		:: scheduled && !got ->
#ifndef BUSY_LEAVES
			queued = true
#endif
			skip
		fi;
		if
		:: got -> release()
		:: else
		fi;
		got = false
	od
}

active [2] proctype event()
{
	byte frames;
	bool was;

	do
	:: frames < FRAMES ->
		frames++;
		waiting++;
		wake(was)
	:: else -> break
	od
}

inline look()
{
	take();
	begin_use();
	end_use();
	release()
}

inline stop()
{
#ifdef STOP_UNHELD
	atomic { !mutex; mutex = true };
	port = false;
	mutex = false;
#else
	take();
	port = false;
	release();
#endif
	/* From here on it may be anybody's. */
	memory = false
}

inline start(was)
{
	memory = true;
#ifdef START_UNHELD
	atomic { !mutex; mutex = true };
	port = true;
	mutex = false;
#else
	take();
	port = true;
	release();
#endif
#ifndef START_QUIET
	wake(was)
#endif
	skip
}

active proctype owner()
{
	byte rounds;
	bool was;

	do
	:: rounds < ROUNDS ->
		rounds++;
		if
		:: port -> look()
		:: port -> stop()
		:: !port -> start(was)
		fi
	:: break
	od
}

/* When nobody can go on. */
active proctype end_of_all()
{
	timeout;
	assert(!locked && !mutex && !held && !pumps);
	assert(!raised && !queued && !task);
	assert(!scheduled);
	assert(!waiting || !port)
}
