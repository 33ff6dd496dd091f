/* The engine on a card, staged for real on a driver that plays one (tests/standin): the numbers, the
 * borders of chunks, and every call that can fail. */
#include "standin_kit.h"

#include <pthread.h>

#define LARGEST (11 * SMALL_CHUNK)

static uint8_t bytes[LARGEST];

static bool agrees(struct engine *g, const char *what, enum dtype dt, const uint8_t *p, size_t n)
{
	struct content c = kit_content(p, n);
	struct stats got = {0}, want = {0};
	struct err e = {0};
	bool ok;

	if (engine_stats(g, &c, dt, &got, &e) < 0)
		EQ_STR(e.text, "");
	OK(stats_of(&c, dt, &want, NULL) == 0);
	ok = kit_agree(what, &c, dt, &got, &want);
	content_release(&c);
	return ok;
}

/* --- numbers ---------------------------------------------------------------------------------- */

static void every_dtype_has_the_reference_s_numbers(void)
{
	struct engine *g = kit_card();

	for (unsigned dt = 0; dt < DTYPE_COUNT; dt++) {
		for (unsigned f = 0; f < KIT_FLAVOURS; f++) {
			kit_fill((enum dtype)dt, (enum kit_flavour)f, bytes, 3 * SMALL_CHUNK);
			if (!agrees(g, kit_flavour_name((enum kit_flavour)f), (enum dtype)dt, bytes,
					    2 * SMALL_CHUNK + 1003))
				break;
		}
	}
	engine_close(g);
	kit_standin_clean();
}

static void contents_may_end_at_and_around_every_border(void)
{
	struct engine *g = kit_card();

	kit_fill(DTYPE_FLOAT32, KIT_WEIGHTS, bytes, sizeof bytes);
	for (unsigned chunks = 0; chunks < 10; chunks++)
		for (unsigned n = chunks ? 0 : 5; n < 11; n++)
			agrees(g, "a border", DTYPE_FLOAT32, bytes, chunks * SMALL_CHUNK + n - 5);
	for (unsigned pieces = 1; pieces < 3 * FEED_PIECES; pieces++)
		agrees(g, "a border", DTYPE_INT8, bytes, pieces * (SMALL_CHUNK / FEED_PIECES) + 1);
	engine_close(g);
	kit_standin_clean();
}

/* With the chunk of real life; the third one is a part of one, that ends within a word. */
static void chunks_of_16_mib_are_staged(void)
{
	size_t n = 2 * FEED_CHUNK + 12345;
	uint8_t *p = malloc(n);
	struct engine *g;

	cuda_chunk = FEED_CHUNK;
	g = kit_card();
	kit_fill(DTYPE_BFLOAT16, KIT_WEIGHTS, p, n);
	agrees(g, "large", DTYPE_BFLOAT16, p, n);
	EQ_I64(kit_standin->launches, 3);
	EQ_I64(kit_standin->copies, 3);
	EQ_I64(kit_standin->busiest, 2); /* one chunk is copied while another is judged */
	engine_close(g);
	cuda_chunk = SMALL_CHUNK;
	free(p);
	kit_standin_clean();
}

static void chunks_do_not_change_mean_and_std(void)
{
	struct content c;
	struct stats s[2] = {{0}, {0}};

	kit_fill(DTYPE_FLOAT32, KIT_WEIGHTS, bytes, sizeof bytes);
	c = kit_content(bytes, sizeof bytes);
	for (unsigned k = 0; k < 2; k++) {
		struct engine *g;

		cuda_chunk = (k + 1) * SMALL_CHUNK;
		g = kit_card();
		OK(engine_stats(g, &c, DTYPE_FLOAT32, &s[k], NULL) == 0);
		engine_close(g);
	}
	OK(kit_same_bits(s[0].mean, s[1].mean) && kit_same_bits(s[0].std, s[1].std));
	cuda_chunk = SMALL_CHUNK;
	content_release(&c);
	kit_standin_clean();
}

static void *in_another_thread(void *engine)
{
	agrees(engine, "another thread", DTYPE_UINT8, bytes, 1000);
	return NULL;
}

/* A context is current in a thread, not in a process. */
static void another_thread_than_the_one_that_opened_it_may_use_it(void)
{
	struct engine *g = kit_card();
	pthread_t t;

	OK(pthread_create(&t, NULL, in_another_thread, g) == 0);
	pthread_join(t, NULL);
	engine_close(g);
	kit_standin_clean();
}

static void its_name_says_what_it_is(void)
{
	struct engine *g = kit_card();

	EQ_STR(engine_name(g), "cuda:0 (Stand-in 0, 8 GiB)");
	engine_close(g);
	kit_standin_clean();
}

/* --- what can go wrong ------------------------------------------------------------------------ */

/* The engine is no good any more, says so, and takes nothing with it. */
static void is_broken(struct engine *g)
{
	struct content c = kit_content(bytes, 100);
	struct stats s = {.count = 77};
	struct err e = {0};

	EQ_I64(engine_stats(g, &c, DTYPE_UINT8, &s, &e), ERR_SYS);
	HAS(e.text, "is not used any more");
	EQ_I64(s.count, 77);
	content_release(&c);
}

/* Opens, judges, closes, with the n-th call failing. False: there were fewer calls. */
static bool fails_well(unsigned n, bool lost)
{
	struct content c = kit_content(bytes, 6 * SMALL_CHUNK + 77);
	struct engine *g = NULL;
	struct stats s = {.count = 77};
	struct err e = {0};
	const char *failed;
	unsigned before_close;
	int rc;

	kit_standin->fail_at = n;
	kit_standin->lost = lost;
	rc = engine_open("cuda", &g, NULL, &e);
	if (rc == 0) {
		rc = engine_stats(g, &c, DTYPE_FLOAT32, &s, &e);
		if (rc < 0)
			is_broken(g);
	}
	before_close = kit_standin->calls;
	if (g)
		engine_close(g);
	failed = kit_standin->failed;
	if (rc < 0 && failed) {
		HAS(e.text, failed);
		HAS(e.text, "CUDA_ERROR_UNKNOWN (unknown error)");
		EQ_I64(s.count, 77);
	} else {
		EQ_I64(rc, 0);
		OK(n > before_close); /* nothing failed, or only the closing */
		EQ_I64(s.count, (6 * SMALL_CHUNK + 77) / 4);
	}
	EQ_I64(kit_standin->live, 0);
	if (kit_standin->misuse)
		EQ_STR(kit_standin->misuse, "");
	kit_standin_forget();
	content_release(&c);
	if (tap_bad)
		printf("# call %u, %s\n", n, failed ? failed : "none");
	return failed && !tap_bad;
}

/* An error that comes once: the call is named, the engine is done with, nothing leaks. */
static void any_call_may_fail(void)
{
	unsigned n = 1;

	while (fails_well(n, false))
		n++;
	OK(n > 90); /* opening, 7 chunks, and closing are more calls than that */
}

/* A card that falls off the bus: everything fails from then on, closing too. */
static void a_card_may_be_lost_at_any_call(void)
{
	unsigned n = 1;

	while (fails_well(n, true))
		n++;
	OK(n > 90);
}

static void a_bit_that_flips_on_the_way_is_seen(void)
{
	kit_fill(DTYPE_FLOAT32, KIT_WEIGHTS, bytes, sizeof bytes);
	for (unsigned k = 1; k <= 11; k++) {
		struct engine *g = kit_card();
		struct content c = kit_content(bytes, sizeof bytes);
		struct stats s = {.count = 77};
		struct err e = {0};
		char want[64];

		kit_standin->corrupt = k;
		EQ_I64(engine_stats(g, &c, DTYPE_FLOAT32, &s, &e), ERR_DAMAGED);
		snprintf(want, sizeof want, "bytes %u..%u did not arrive on the card",
				(k - 1) * SMALL_CHUNK, k * SMALL_CHUNK);
		HAS(e.text, want);
		EQ_I64(s.count, 77);
		is_broken(g);
		engine_close(g);
		content_release(&c);
		kit_standin_clean();
	}
}

/* What lies in the buffers then is what was found in another chunk. */
static void a_kernel_that_did_not_run_is_seen(void)
{
	for (unsigned k = 1; k <= 11; k++) {
		struct engine *g = kit_card();
		struct content c = kit_content(bytes, sizeof bytes);
		struct stats s;
		struct err e = {0};

		memset(bytes, 1, sizeof bytes); /* all chunks alike */
		kit_standin->short_run = k;
		EQ_I64(engine_stats(g, &c, DTYPE_UINT8, &s, &e), ERR_DAMAGED);
		engine_close(g);
		content_release(&c);
		kit_standin_clean();
	}
}

/* The file's error is the file's: the card is as good as before. */
static void a_read_error_is_passed_on_and_the_engine_stays_well(void)
{
	struct engine *g = kit_card();

	for (unsigned k = 0; k < 9; k++) {
		struct content c = kit_torn_content(8 * SMALL_CHUNK, k * SMALL_CHUNK + k);
		struct stats s = {.count = 77};
		struct err e = {0};

		EQ_I64(engine_stats(g, &c, DTYPE_FLOAT32, &s, &e), k == 8 ? 0 : ERR_TRUNCATED);
		if (k < 8) {
			HAS(e.text, "the file ends at");
			EQ_I64(s.count, 77);
			EQ_I64(kit_standin->pending, 0); /* or it would meet the next run */
		}
		agrees(g, "after it", DTYPE_FLOAT32, bytes, 3 * SMALL_CHUNK);
		content_release(&c);
	}
	engine_close(g);
	kit_standin_clean();
}

/* Another error is not overwritten, and nothing is needed of who does not want to know. */
static void errors_may_be_unwanted(void)
{
	struct engine *g = NULL;
	struct content c = kit_content(bytes, 1000);
	struct stats s;

	kit_standin->devices = 0;
	EQ_I64(engine_open("cuda", &g, NULL, NULL), ERR_ABSENT);
	OK(g == NULL);
	kit_standin->devices = 1;
	g = kit_card();
	kit_standin->fail_at = kit_standin->calls + 2;
	EQ_I64(engine_stats(g, &c, DTYPE_UINT8, &s, NULL), ERR_SYS);
	engine_close(g);
	content_release(&c);
	kit_standin_clean();
}

int main(void)
{
	if (!kit_load_standin())
		return 1;
	TEST(every_dtype_has_the_reference_s_numbers);
	TEST(contents_may_end_at_and_around_every_border);
	TEST(chunks_of_16_mib_are_staged);
	TEST(chunks_do_not_change_mean_and_std);
	TEST(another_thread_than_the_one_that_opened_it_may_use_it);
	TEST(its_name_says_what_it_is);
	TEST(any_call_may_fail);
	TEST(a_card_may_be_lost_at_any_call);
	TEST(a_bit_that_flips_on_the_way_is_seen);
	TEST(a_kernel_that_did_not_run_is_seen);
	TEST(a_read_error_is_passed_on_and_the_engine_stays_well);
	TEST(errors_may_be_unwanted);
	return tap_done();
}
