// SPDX-License-Identifier: GPL-2.0-only
/*
 * What comes back to where it came from: calls that are kicks of another twin,
 * whose calls are kicks of the first (BUGCLASSES C5); and frames that the
 * host's network returns to the twin that has sent them (F3).
 */
#include "kselftest/vmm.h"
#include "kselftest/busy.h"

#include <sys/wait.h>

#define NUM	256
#define LEN	BUSY_LEN

static struct vmm vmm[2];
static struct wire wire[2];

/* Queue @i of the four that two twins have. */
static struct ring *ring(unsigned int i)
{
	return &vmm[i / 2].q[i % 2];
}

/* Whose kick is the call of each queue. */
static const struct crossing {
	const char	*name;
	unsigned int	next[4];
} crossings[] = {
	{ "two twins crosswise", { 2, 3, 0, 1 } },
	{ "all four queues in a circle", { 1, 2, 3, 0 } },
	{ "each twin's receiving and the other's sending", { 3, 2, 1, 0 } },
	{ "all of them and one queue", { 1, 1, 1, 1 } },
};

static void call_by(unsigned int i, int fd)
{
	must(!vmm_set_fd(&vmm[i / 2], VHOST_SET_VRING_CALL, i % 2, fd));
}

static void cross(const struct crossing *how)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		call_by(i, ring(how->next[i])->kick);
}

static void uncross(void)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		call_by(i, ring(i)->call);
}

/* Nobody is called: used entries are looked for. */
static bool wait_used(struct ring *r)
{
	unsigned int tries;

	for (tries = 0; tries < 5000; tries++) {
		if (ring_has_used(r))
			return true;
		poll(NULL, 0, 1);
	}
	return because("nothing was used; used->idx %u, seen %u", r->used->idx,
		       r->used_idx);
}

static long long sum(const char *counter)
{
	unsigned int i;
	long long n = 0;

	for (i = 0; i < 4; i++)
		n += vmm_counter(&vmm[i / 2], i % 2, counter);
	return n;
}

/* Each signal is one kick, and there are none but ours and the calls. */
static bool kicks_add_up(long long kicks, long long calls, unsigned int ours)
{
	unsigned int tries;

	if (!vmm_has_counters())
		return true;
	calls = sum("calls") - calls;
	for (tries = 0; sum("kicks") < kicks + ours + calls && tries < 500; tries++)
		poll(NULL, 0, 10);
	return equal(sum("kicks") - kicks, ours + calls, "kicks, of calls and ours");
}

static long long work(void)
{
	return sum("kicks") + sum("pumps_inline") + sum("pumps_worker");
}

/* Nothing goes on by itself. */
static bool comes_to_rest(void)
{
	long long before, now = work();
	unsigned int tries = 0;

	if (!vmm_has_counters())
		return true;
	do {
		before = now;
		poll(NULL, 0, 100);
		now = work();
	} while (now != before && ++tries < 50);
	return equal(now, before, "kicks and pumps of idle queues");
}

static void post(unsigned int t, uint32_t n)
{
	uint8_t frame[LEN];

	busy_number(frame, n);
	must(vmm_add_frame(&vmm[t], frame, LEN) >= 0);
	must(vmm_add_buffer(&vmm[t], 200) >= 0);
	must(wire_send(&wire[t], frame, LEN));
}

static bool one_round(uint32_t n)
{
	uint8_t frame[LEN];
	unsigned int i;

	post(0, n);
	post(1, n);
	for (i = 0; i < 4; i++) {
		busy_ask_for_calls(ring(i));
		ring_publish(ring(i));
		ring_signal(ring(i)->kick);
	}
	busy_number(frame, n);
	for (i = 0; i < 4; i++)
		if (!wait_used(ring(i)) || ring_reap(ring(i), NULL) < 0)
			return because("queue %u of round %u", i, n);
	return wire_expect(&wire[0], frame, LEN) &&
	       wire_expect(&wire[1], frame, LEN);
}

static bool in_rounds(const struct crossing *how)
{
	long long kicks, calls;
	unsigned int i;

	/* A call of what went before is no kick. */
	if (!comes_to_rest())
		return false;
	kicks = sum("kicks");
	calls = sum("calls");
	cross(how);
	for (i = 0; i < 100; i++)
		if (!one_round(i))
			return false;
	if (!comes_to_rest() || !kicks_add_up(kicks, calls, 400))
		return false;
	uncross();
	return vmm_works(&vmm[0], &wire[0]) && vmm_works(&vmm[1], &wire[1]);
}

/* Each twin's pump signals the other's queue, at the same time. */
static bool at_once(const struct crossing *how)
{
	static struct busy busy[2];
	bool good;

	cross(how);
	busy_start(&busy[0], &vmm[0], &wire[0], true);
	busy_start(&busy[1], &vmm[1], &wire[1], true);
	good = busy_wait(&busy[0], 3000) && busy_wait(&busy[1], 3000);
	good = busy_stop(&busy[0]) && good;
	good = busy_stop(&busy[1]) && good;
	good = good && comes_to_rest();
	uncross();
	return vmm_begin_anew(&vmm[0], &wire[0]) &&
	       vmm_begin_anew(&vmm[1], &wire[1]) && good;
}

static void twins(uint64_t features, const char *policy)
{
	const char *name = features ? "with event index" : "plain";
	unsigned int i;

	vmm_run(&vmm[0], &wire[0], VMM_BASIC | features, NUM);
	vmm_run(&vmm[1], &wire[1], VMM_BASIC | features, NUM);
	vmm[1].nr = 1;
	if (vmm_has_counters() && (!vmm_set_policy(&vmm[0], policy) ||
				   !vmm_set_policy(&vmm[1], policy))) {
		skip(policy, "there is no such policy here");
	} else {
		for (i = 0; i < sizeof(crossings) / sizeof(crossings[0]); i++) {
			claim(in_rounds(&crossings[i]),
			      "calls are kicks, %s: all is served, each signal once, %s, %s",
			      crossings[i].name, policy, name);
			claim(at_once(&crossings[i]),
			      "calls are kicks, %s: both busy, no dead lock, %s, %s",
			      crossings[i].name, policy, name);
		}
	}
	vmm_close(&vmm[1]);
	vmm_close(&vmm[0]);
}

/* The second twin is another process's. */
static bool one_of_two(unsigned int t)
{
	static struct busy busy;

	vmm_go(&vmm[t], &wire[t]);
	call_by(2 * t + RX, vmm[!t].q[RX].kick);
	call_by(2 * t + TX, vmm[!t].q[TX].kick);
	busy_start(&busy, &vmm[t], &wire[t], true);
	return busy_wait(&busy, 5000) & busy_stop(&busy);
}

static bool two_processes(void)
{
	bool good;
	int status;
	pid_t pid;

	vmm_open(&vmm[0], VMM_BASIC, NUM);
	vmm_open(&vmm[1], VMM_BASIC, NUM);
	pid = fork();
	must(pid >= 0);
	if (!pid)
		_exit(!one_of_two(1));
	good = one_of_two(0);
	must(waitpid(pid, &status, 0) == pid);
	good = equal(status, 0, "status of the other process") && good;
	good = vmm_begin_anew(&vmm[0], &wire[0]) && good;
	vmm_close(&vmm[1]);
	vmm_close(&vmm[0]);
	return good;
}

/* Loops: what the first twin sends comes in again. */

/* @n frames out, and the same @n in, in order. */
static bool come_back(unsigned int n)
{
	struct ring *rx = &vmm[0].q[RX];
	uint8_t frame[LEN];
	unsigned int i;
	int head;

	for (i = 0; i < n; i++) {
		busy_number(frame, i);
		must(vmm_add_buffer(&vmm[0], 200) >= 0);
		must(vmm_add_frame(&vmm[0], frame, LEN) >= 0);
	}
	ring_kick(rx);
	ring_kick(&vmm[0].q[TX]);
	for (i = 0; i < n; i++) {
		busy_number(frame, i);
		if (!ring_wait(rx, 5000))
			return because("frame %u of %u", i, n);
		head = ring_reap(rx, NULL);
		if (head < 0 || memcmp(vmm_buffer(&vmm[0], head) + VMM_HDR,
				       frame, LEN))
			return because("frame %u came back as another", i);
	}
	return ring_reap_n(&vmm[0].q[TX], n, 5000);
}

/* The guest sends on what comes in: the same frame goes round. */
static bool goes_round(unsigned int hops)
{
	unsigned int i;

	for (i = 0; i < hops; i++)
		if (!come_back(1))
			return because("after %u hops", i);
	return true;
}

/* A frame that came back twice would find a buffer. */
static bool none_more_came(void)
{
	must(vmm_add_buffer(&vmm[0], 200) >= 0);
	ring_kick(&vmm[0].q[RX]);
	if (!comes_to_rest())
		return false;
	return !ring_has_used(&vmm[0].q[RX]) || because("one frame more came in");
}

static bool looped(const char *policy)
{
	bool good;

	vmm_run(&vmm[0], &wire[0], VMM_BASIC, NUM);
	vmm_run(&vmm[1], &wire[1], VMM_BASIC, NUM);
	vmm[1].nr = 1;
	if (vmm_has_counters() && !vmm_set_policy(&vmm[0], policy))
		note("there is no policy %s here", policy);
	good = come_back(1) && come_back(NUM) && goes_round(1000) &&
	       none_more_came();
	vmm_close(&vmm[1]);
	vmm_close(&vmm[0]);
	return good;
}

static void loop(const char *name, const char * const *make, const char *unmake)
{
	if (!commands(make)) {
		skip(name, "it can't be made here");
		return;
	}
	claim(looped("inline"), "%s, inline: each frame comes back once", name);
	claim(looped("worker"), "%s, worker: each frame comes back once", name);
	must(!system(unmake));
	wire_drain(&wire[0]);
	vmm_run(&vmm[0], &wire[0], VMM_BASIC, NUM);
	claim(vmm_works(&vmm[0], &wire[0]), "%s: it can be undone", name);
	vmm_close(&vmm[0]);
}

static const char * const bridge[] = {
	"ip link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
	"ip link set wire0 master br0",
	"ip link set br0 up",
	"ip link set wire0 type bridge_slave hairpin on",
	NULL,
};

static const char * const redirection[] = {
	"tc qdisc add dev wire0 clsact",
	"tc filter add dev wire0 ingress matchall action mirred egress redirect dev wire0",
	NULL,
};

int main(int argc, char **argv)
{
	vmm_begin(argc, argv);
	wire_open(&wire[0], "wire0", VMM_HDR);
	wire_open(&wire[1], "wire1", VMM_HDR);
	twins(0, "inline");
	twins(VMM_EVENT_IDX, "inline");
	twins(VMM_EVENT_IDX, "worker");
	twins(VMM_EVENT_IDX, "softirq");
	claim(two_processes(), "calls are kicks, of two processes: all is served");
	loop("a bridge that sends back", bridge, "ip link del br0");
	loop("a redirection to itself", redirection, "tc qdisc del dev wire0 clsact");
	return report_end();
}
