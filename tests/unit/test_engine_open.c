/* Which engine, by the name of a device. */
#include "engine_kit.h"

static void cpu_is_always_there_and_says_what_it_is(void)
{
	struct engine *g = NULL;

	EQ_I64(engine_open("cpu", &g, NULL, NULL), 0);
	OK(g == engine_cpu());
	HAS(engine_name(g), "cpu (");
	HAS(engine_name(g), kernels_best()->name);
	HAS(engine_name(g), " thread");
	engine_close(g);
	engine_close(engine_cpu());
	engine_close(NULL);
}

static void other_names_are_a_mistake_that_names_the_devices(void)
{
	static const char *const bad[] = {"", "gpu", "CPU", "cuda:", "cuda:x", "cuda:1x", "cuda:-1",
		"cuda0", "cuda:99999", "auto ", "cpu:0"};
	struct engine *g = NULL;
	struct err e;

	for (unsigned k = 0; k < COUNT_OF(bad); k++) {
		EQ_I64(engine_open(bad[k], &g, NULL, &e), ERR_USAGE);
		HAS(e.text, "cpu, cuda, cuda:N or auto");
		OK(!g);
	}
}

/* Where there is a card, the numbers are its; where not, there is a reason. */
static void auto_is_a_card_or_the_cpu_and_why(void)
{
	const float v[] = {1, 2, 3};
	struct content c = kit_content(v, sizeof v);
	struct engine *g = NULL;
	struct stats s;
	struct buf why;

	buf_init(&why, 1000);
	EQ_I64(engine_open("auto", &g, &why, NULL), 0);
	OK((g == engine_cpu()) == (why.n > 0));
	EQ_I64(engine_stats(g, &c, DTYPE_FLOAT32, &s, NULL), 0);
	EQ_F64(s.mean, 2);
	engine_close(g);
	EQ_I64(engine_open("auto", &g, NULL, NULL), 0);
	engine_close(g);
	buf_release(&why);
	content_release(&c);
}

int main(void)
{
	TEST(cpu_is_always_there_and_says_what_it_is);
	TEST(other_names_are_a_mistake_that_names_the_devices);
	TEST(auto_is_a_card_or_the_cpu_and_why);
	return tap_done();
}
