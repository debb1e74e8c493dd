// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames, while what is done for them fails: in the thread that kicks, or in the
 * twin's worker.  Each arrives, or is counted as lost with a reason, or stays in the
 * ring of a queue that says it is broken, and arrives after a restart; and the queue
 * goes on.
 */
#include "kselftest/vmm.h"
#include "kselftest/failing.h"
#include "kselftest/proc.h"

#define NUM	64
#define SCRATCH	(4u << 20)
#define BIG	6000	/* more than a page, and than two buffers */
#define MANY	40	/* more than a CPU keeps socket buffers for */
#define MOST	150	/* faults of one go below one site */

static struct vmm vmm;
static struct wire wire;
static struct failing_task me, worker;
static uint32_t seed;		/* of the next frame */

/* Of one go: frames, their length, their first seed, and the armed task. */
static struct {
	unsigned int		sent;
	size_t			len;
	uint32_t		first;
	struct failing_task	*task;
	unsigned int		n;
} go;

static void begin(unsigned int frames, size_t len)
{
	go.sent = frames;
	go.len = len;
	go.first = seed;
	seed += frames;
}

/* No pump is under way: the next kick is served by whom it is meant for. */
static bool is_idle(int q)
{
	FILE *file = vmm_debugfs(&vmm, "state", "r");
	const char *name = q == RX ? "rx0:" : "tx0:";
	char line[512];
	bool idle = false;

	must(file);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, name, 4) && strstr(line, "scheduled=0"))
			idle = true;
	fclose(file);
	return idle;
}

static void wait_idle(int q)
{
	unsigned int tries;

	for (tries = 0; tries < 1000 && !is_idle(q); tries++)
		poll(NULL, 0, 5);
	must(is_idle(q));
}

/* To the guest's driver's side of the TX ring */

static void add_frames(unsigned int n)
{
	uint8_t frame[100];
	unsigned int i;

	begin(n, sizeof(frame));
	for (i = 0; i < go.sent; i++) {
		wire_fill(frame, sizeof(frame), go.first + i);
		must(vmm_add_frame(&vmm, frame, sizeof(frame)) >= 0);
	}
	ring_publish(&vmm.q[TX]);
}

static void add_small(void)
{
	add_frames(3);
}

static void add_many(void)
{
	add_frames(MANY);
}

/* A port that has nothing in hand to copy frames into. */
static void add_to_new_port(void)
{
	must(!vmm_restart_queue(&vmm, TX, wire.tap, 0));
	wait_idle(TX);
	add_small();
}

static uint8_t *scratch(void)
{
	return vmm.mem + SCRATCH;
}

static void fill_scratch(size_t len)
{
	begin(1, len);
	memset(scratch(), 0, VMM_HDR);
	wire_fill(scratch() + VMM_HDR, len, go.first);
}

static void add_big(void)
{
	struct seg seg = { VMM_GPA + SCRATCH, VMM_HDR + BIG, 0 };

	fill_scratch(BIG);
	must(ring_add(&vmm.q[TX], &seg, 1) >= 0);
	ring_publish(&vmm.q[TX]);
}

/* A table of two, whose second descriptor lies half in either region. */
static void add_table(void)
{
	struct vring_desc *table = (void *)(vmm.mem + VMM_SPLIT - 24);
	struct seg seg = { vmm_gpa(&vmm, table), 32, VRING_DESC_F_INDIRECT };

	fill_scratch(200);
	table[0] = (struct vring_desc) { VMM_GPA + SCRATCH, VMM_HDR,
					 VRING_DESC_F_NEXT, 1 };
	table[1] = (struct vring_desc) { VMM_GPA + SCRATCH + VMM_HDR, 200, 0, 0 };
	must(ring_add(&vmm.q[TX], &seg, 1) >= 0);
	ring_publish(&vmm.q[TX]);
}

static void kick_tx(void)
{
	ring_signal(vmm.q[TX].kick);
}

/* To the other end of the wire, and the RX ring */

static void post(unsigned int buffers)
{
	while (vmm.q[RX].num - vmm.q[RX].nr_free < buffers)
		must(vmm_add_buffer(&vmm, VMM_SLOT) >= 0);
	ring_publish(&vmm.q[RX]);
}

static void post_one(void)
{
	begin(1, 100);
	post(1);
	ring_signal(vmm.q[RX].kick);
}

static void post_many(void)
{
	begin(1, BIG);
	post(4);
	ring_signal(vmm.q[RX].kick);
}

static void wire_frame(void)
{
	static uint8_t frame[BIG];

	wire_fill(frame, go.len, go.first);
	must(wire_send(&wire, frame, go.len));
}

/* A frame waits, and buffers lie there that the device does not know of yet. */
static void frame_waits(void)
{
	long long before = vmm_counter(&vmm, RX, "no_buffers");

	begin(1, 100);
	must(!vmm_restart_queue(&vmm, RX, wire.tap, 0));
	wire_frame();
	must(vmm_wait_counter(&vmm, RX, "no_buffers", before + 1));
	wait_idle(RX);
	post(1);
}

static void kick_rx(void)
{
	ring_signal(vmm.q[RX].kick);
}

/* A buffer is posted, but softirq no longer knows where the ring is. */
static void post_unknown(void)
{
	static bool exec;

	post_one();
	wait_idle(RX);
	exec = !exec;
	must(!mprotect(vmm.q[RX].area, 3 * RING_PART,
		       PROT_READ | PROT_WRITE | (exec ? PROT_EXEC : 0)));
}

static unsigned int min(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

static const struct way {
	const char	*name;
	int		q;
	bool		by_worker;
	const char	*policy;
	void		(*prepare)(void);
	void		(*trigger)(void);
} ways[] = {
	{ "small frames out, inline", TX, false, "inline", add_small, kick_tx },
	{ "many frames out, inline", TX, false, "inline", add_many, kick_tx },
	{ "small frames out of a new port, inline", TX, false, "inline", add_to_new_port, kick_tx },
	{ "a big frame out, inline", TX, false, "inline", add_big, kick_tx },
	{ "a frame out by way of a table, inline", TX, false, "inline", add_table, kick_tx },
	{ "small frames out, by the worker", TX, true, "worker", add_small, kick_tx },
	{ "a big frame out, by the worker", TX, true, "worker", add_big, kick_tx },
	{ "a small frame in", RX, true, "worker", post_one, wire_frame },
	{ "a frame in for many buffers", RX, true, "worker", post_many, wire_frame },
	{ "a small frame in, inline", RX, false, "inline", frame_waits, kick_rx },
	{ "a small frame in that is not for softirq", RX, true, "softirq", post_unknown,
	  wire_frame },
};

#define NR_WAYS	(sizeof(ways) / sizeof(ways[0]))

static unsigned int hits[FAILING_SITES][NR_WAYS];

/* Counters */

static long long lost_by(int q)
{
	FILE *file = vmm_debugfs(&vmm, q == RX ? "rx0" : "tx0", "r");
	long long sum = 0, v;
	char key[64];

	must(file);
	while (fscanf(file, "%63[^:]: %lld\n", key, &v) == 2)
		if (!strncmp(key, "drop_", 5))
			sum += v;
	fclose(file);
	return sum;
}

/* Frames that the tap has dropped for want of memory, or the packet socket. */
static long long lost_behind(void)
{
	static long long by_socket;
	struct tpacket_stats stats;
	socklen_t len = sizeof(stats);

	must(!getsockopt(wire.sock, SOL_PACKET, PACKET_STATISTICS, &stats, &len));
	by_socket += stats.tp_drops;
	return by_socket + proc_sum("/proc/self/net/dev", "wire0", 3);
}

static bool is_broken(int q)
{
	return ring_poll(vmm.q[q].err, 0);
}

/* A broken queue is taken up where it was left. */
static bool heal(int q)
{
	int base = vmm_get_base(&vmm, q);

	ring_drain_event(vmm.q[q].err);
	if (base < 0 || vmm_backend(&vmm, q, -1) ||
	    vmm_set_state(&vmm, VHOST_SET_VRING_BASE, q, base) ||
	    vmm_backend(&vmm, q, wire.tap))
		return because("a broken queue does not start again");
	return true;
}

/* Have as many frames been seen to by the worker as were sent, or was it stopped? */
static bool settled(const struct way *way, long long before)
{
	struct ring *ring = &vmm.q[way->q];

	if (is_broken(way->q))
		return true;
	if (way->q == TX)
		return (uint16_t)(__atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE) -
				  ring->used_idx) >= go.sent;
	return vmm_counter(&vmm, RX, "packets") + lost_by(RX) - before >= go.sent;
}

static bool wait_settled(const struct way *way, long long before)
{
	unsigned int tries;

	for (tries = 0; !settled(way, before); tries++) {
		if (tries == 1000)
			return because("%s: not done, site %u", way->name, failing.at);
		poll(NULL, 0, 5);
	}
	return true;
}

/* What came out of the wire: of the frames, in their order, maybe not all. */
static unsigned int on_the_wire(void)
{
	static uint8_t frame[BIG], expected[BIG];
	unsigned int n = 0, i = 0;

	while (wire_receive(&wire, frame, sizeof(frame), 0) == (ssize_t)go.len) {
		do
			wire_fill(expected, go.len, go.first + i);
		while (memcmp(frame, expected, go.len) && ++i < go.sent);
		if (i++ >= go.sent) {
			because("a frame came that was not sent");
			break;
		}
		n++;
	}
	return n;
}

/* What came into buffers; no more than one frame, over as many as it takes. */
static unsigned int in_the_ring(void)
{
	static uint8_t frame[VMM_HDR + BIG + VMM_SLOT], expected[BIG];
	size_t at = 0;
	uint32_t len;
	int head;

	while (ring_has_used(&vmm.q[RX])) {
		head = ring_reap(&vmm.q[RX], &len);
		must(head >= 0 && len <= VMM_SLOT && at <= VMM_HDR + BIG);
		memcpy(frame + at, vmm_buffer(&vmm, head), len);
		at += len;
	}
	if (!at)
		return 0;
	wire_fill(expected, go.len, go.first);
	if (at != VMM_HDR + go.len || memcmp(frame + VMM_HDR, expected, go.len))
		because("a frame of %zu bytes came in changed", go.len);
	return 1;
}

static bool reap_tx(void)
{
	while (ring_has_used(&vmm.q[TX]))
		if (ring_reap(&vmm.q[TX], NULL) < 0)
			return false;
	return equal(vmm.q[TX].num - vmm.q[TX].nr_free, 0, "chains not given back");
}

/*
 * What the tap was handed it may lose: then it counts that, or not (there is a way in
 * its batches where it does neither), and tells us or not, and we count that.
 */
static bool adds_up(unsigned int got, long long lost, long long behind)
{
	static bool told;

	if (got + lost == go.sent)
		return true;
	if (got + lost > go.sent || !failing.leaves[failing.at])
		return false;
	if (got + lost + behind < go.sent && !told) {
		note("the tap has lost frames that it does not count");
		told = true;
	}
	return true;
}

/* One go, with the @n-th fault; returns how many could have come, or came. */
static bool try_one(const struct way *way, unsigned int n, unsigned int *fired,
		    unsigned int *passed)
{
	struct failing_task *task = way->by_worker ? &worker : &me;
	long long done, lost, behind = lost_behind();
	unsigned int got;

	way->prepare();
	if (way->q == TX)
		wait_idle(TX);
	lost = lost_by(way->q);
	done = vmm_counter(&vmm, way->q, "packets") + lost;
	failing_arm(task, n);
	way->trigger();
	if (way->by_worker && !wait_settled(way, done))
		return false;
	*passed = failing_disarm(task, n);
	if (!wait_settled(way, done))
		return false;
	*fired = failing_count();
	if (is_broken(way->q) && (!heal(way->q) || !wait_settled(way, done)))
		return false;
	got = way->q == TX ? on_the_wire() : in_the_ring();
	lost = lost_by(way->q) - lost;
	behind = lost_behind() - behind;
	if (!adds_up(got, lost, behind))
		return because("%u of %u arrived, %lld lost, %lld behind us; site %u, fault %u",
			       got, go.sent, lost, behind, failing.at, n);
	if (way->q == TX && !reap_tx())
		return false;
	return !report.why[0];
}

/* Of many frames not each time: how much is kept for later varies. */
static bool try_fault(unsigned int w, unsigned int n, unsigned int *fired)
{
	unsigned int tries = !n && ways[w].prepare == add_many ? 50 : 1, passed;
	bool good = true;

	for (*fired = 0; good && !*fired && tries; tries--)
		good = try_one(&ways[w], n, fired, &passed);
	return good && vmm_works(&vmm, &wire);
}

static bool each_fault(unsigned int w, unsigned int *faults)
{
	unsigned int site, n, fired, passed;
	bool good = true;

	for (site = 1; site < failing.nr; site++) {
		failing_at(site);
		if (!try_one(&ways[w], FAILING_MANY, &fired, &hits[site][w]) ||
		    !try_one(&ways[w], FAILING_MANY, &fired, &passed))
			return false;
		hits[site][w] = min(hits[site][w], passed);
		if (!hits[site][w])
			continue;
		for (n = 0, fired = 1; good && fired && n < MOST; n++) {
			good = try_fault(w, n, &fired);
			*faults += fired;
		}
		if (!good || n == 1 || n == MOST)
			return because("site %u, fault %u", site, n);
		alarm(REPORT_LIMIT);
	}
	return true;
}

/* As in failnth: nothing fails that is below none of the calls that we know. */
static bool all_known(unsigned int w)
{
	unsigned int site, fired, passed, tries, all = FAILING_MANY, sum = 0;

	failing_at(0);
	for (tries = 0; tries < 5; tries++) {
		if (!try_one(&ways[w], FAILING_MANY, &fired, &passed))
			return false;
		all = min(all, passed);
	}
	for (site = 1; site < failing.nr; site++)
		sum += hits[site][w];
	note("%s: %u faults are possible without one", ways[w].name, all);
	return sum >= all || because("%u of them are below known calls", sum);
}

static struct failing_task find_worker(void)
{
	char name[32];

	snprintf(name, sizeof(name), "ktwin-%d", getpid());
	return failing_open(proc_find(name));
}

static void each_way(void)
{
	unsigned int w, faults, all = 0;
	bool good;

	for (w = 0; w < NR_WAYS; w++) {
		faults = 0;
		must(vmm_set_policy(&vmm, ways[w].policy));
		good = vmm_works(&vmm, &wire) && each_fault(w, &faults);
		claim(good, "%s: arrives or is counted, whatever fails", ways[w].name);
		/* How much is kept for later is not the same each time. */
		if (ways[w].prepare != add_many)
			claim(!good || all_known(w),
			      "%s: each fault is below a call that is known", ways[w].name);
		note("%s: %u faults", ways[w].name, faults);
		all += faults;
	}
	note("faults %u", all);
}

int main(int argc, char **argv)
{
	vmm_begin(argc, argv);
	if (!failing_begin(argc, argv))
		return report_end();
	wire_open(&wire, "wire0", VMM_HDR);
	vmm_run(&vmm, &wire, VMM_BASIC | VMM_INDIRECT, NUM);
	me = failing_open(getpid());
	worker = find_worker();
	each_way();
	vmm_close(&vmm);
	failing_close(&me);
	failing_close(&worker);
	failing_end(argv);
	wire_close(&wire);
	return report_end();
}
