// SPDX-License-Identifier: GPL-2.0-only
/* What the fuzzer has found to be worth keeping, once more. */
#include <stdio.h>

#include "kselftest/ring/fuzz.h"
#include "kselftest/ring/tests.h"

#define MAX_INPUT	4096

void fuzz_violated(const char *what)
{
	tap_note("%s", what);
	expect(!"a promise was broken");
}

/* Bytes in hex up to the end of the line; -1 at the end of the file. */
static long read_line(FILE *file, u8 *data)
{
	unsigned int byte;
	long n = 0;
	int c;

	while (n < MAX_INPUT && fscanf(file, "%2x", &byte) == 1) {
		data[n++] = byte;
		c = fgetc(file);
		if (c == '\n')
			return n;
		ungetc(c, file);
	}
	return -1;
}

static void test_corpus(void)
{
	static u8 data[MAX_INPUT];
	unsigned long n = 0;
	FILE *file;
	long size;

	file = fopen(fuzz_corpus ? fuzz_corpus : "corpus", "r");
	expect(file);
	if (!file)
		return;
	/* The first line is a comment. */
	if (fscanf(file, "#%*[^\n]\n") == EOF)
		expect(!"anything in the corpus");
	while ((size = read_line(file, data)) >= 0 && !tap_failed()) {
		tap_case("input %lu", n++);
		fuzz_one(data, size);
	}
	fclose(file);
	tap_note("%lu inputs, %lu chains, %lu given back", n,
		 fuzz_counts.chains, fuzz_counts.given);
	expect(fuzz_counts.chains && fuzz_counts.given);
}

const struct test corpus_tests[] = {
	{ "the fuzzer's corpus breaks no promise", test_corpus, NULL },
	{ },
};
