/* What somebody is told who asks for a card and gets none: one line, of the right kind, with what to
 * do; and with "auto" the processor. */
#include "standin_kit.h"

static struct err said;

static int open_it(const char *device)
{
	struct engine *g = NULL;
	int rc;

	said = (struct err){0};
	rc = engine_open(device, &g, NULL, &said);
	OK((rc == 0) == (g != NULL));
	OK(!strchr(said.text, '\n'));
	OK(strlen(said.text) < sizeof said.text - 1); /* nothing was cut off */
	engine_close(g);
	return rc;
}

/* auto: the same sentence, and an engine that works. */
static void auto_is_the_processor(const char *part)
{
	struct content c = kit_content("1234", 4);
	struct engine *g = NULL;
	struct stats s = {0};
	struct buf why;

	buf_init(&why, 1000);
	OK(engine_open("auto", &g, &why, NULL) == 0);
	OK(g == engine_cpu());
	buf_putc(&why, '\0');
	HAS(why.p, part);
	OK(engine_stats(g, &c, DTYPE_UINT8, &s, NULL) == 0);
	EQ_I64(s.count, 4);
	engine_close(g);
	buf_release(&why);
	content_release(&c);
}

static void a_machine_without_a_driver(void)
{
	cuda_library = "libpthfs-no-such-driver.so.1";
	EQ_I64(open_it("cuda"), ERR_ABSENT);
	HAS(said.text, "no NVIDIA driver is installed here (libpthfs-no-such-driver.so.1: ");
	HAS(said.text, "install one, or use the processor (device=cpu)");
	auto_is_the_processor("no NVIDIA driver");
	cuda_library = STANDIN;
	kit_standin_clean();
}

/* A library that has none of the calls plays a driver from before they came. */
static void a_driver_that_lacks_a_call(void)
{
	cuda_library = "libm.so.6";
	EQ_I64(open_it("cuda"), ERR_UNSUPPORTED);
	HAS(said.text, "the NVIDIA driver is too old: it has no cu");
	auto_is_the_processor("too old");
	cuda_library = STANDIN;
	kit_standin_clean();
}

static void a_driver_of_an_old_version(void)
{
	kit_standin->version = 10020;
	EQ_I64(open_it("cuda"), ERR_UNSUPPORTED);
	HAS(said.text, "it knows CUDA 10.2, and at least 11.0 is needed; update it");
	auto_is_the_processor("CUDA 10.2");
	kit_standin_clean();
}

static void a_driver_that_does_not_take_the_kernels(void)
{
	kit_standin->version = 12040;
	kit_standin->load_result = CUDA_PTX_TOO_NEW;
	EQ_I64(open_it("cuda"), ERR_UNSUPPORTED);
	HAS(said.text, "the NVIDIA driver, which knows CUDA 12.4, does not take kernels of CUDA 13.0; "
			"update it, or use the processor (device=cpu): cuda:0: cuModuleLoadData: "
			"CUDA_ERROR_UNSUPPORTED_PTX_VERSION");
	auto_is_the_processor("CUDA 12.4");
	kit_standin_clean();
}

static void a_driver_that_sees_no_card(void)
{
	kit_standin->devices = 0;
	EQ_I64(open_it("cuda"), ERR_ABSENT);
	HAS(said.text, "sees no card (CUDA_ERROR_NO_DEVICE): look at nvidia-smi");
	auto_is_the_processor("sees no card");
	kit_standin_clean();
}

/* As after an update of the driver without a reboot. */
static void a_driver_that_does_not_start(void)
{
	kit_standin->init_result = 999;
	EQ_I64(open_it("cuda"), ERR_ABSENT);
	HAS(said.text, "does not start (look at nvidia-smi): cuInit: CUDA_ERROR_UNKNOWN");
	auto_is_the_processor("cuInit");
	kit_standin_clean();
}

static void a_number_beyond_the_cards(void)
{
	kit_standin->devices = 2;
	EQ_I64(open_it("cuda:1"), 0);
	EQ_I64(open_it("cuda:2"), ERR_ABSENT);
	HAS(said.text, "there is no cuda:2: the driver sees 2 cards, cuda:0 first");
	kit_standin_clean();
}

static void a_card_that_is_too_old(void)
{
	kit_standin->capability = 61;
	EQ_I64(open_it("cuda"), ERR_UNSUPPORTED);
	HAS(said.text, "cuda:0 (Stand-in 0) is too old: its compute capability is 6.1, and this pthfs, "
			"built with CUDA 13.0, has code for 7.5 and later");
	auto_is_the_processor("too old");
	kit_standin_clean();
}

static void a_card_with_too_little_memory(void)
{
	kit_standin->memory = 3 << 20;
	EQ_I64(open_it("cuda"), ERR_LIMIT);
	HAS(said.text, "cuda:0 (Stand-in 0, 8 GiB) has 3.1 MB of memory free, and ");
	HAS(said.text, "end what uses it (nvidia-smi lists that)");
	auto_is_the_processor("memory free");
	kit_standin_clean();
}

/* Somebody else took it between the question and the allocation: each of them, on card and host. */
static void memory_that_is_gone_when_it_is_taken(void)
{
	unsigned seen = 0;

	for (unsigned n = 1; n < 80; n++) {
		const char *failed;
		int rc;

		kit_standin->fail_at = n;
		kit_standin->fail_with = CUDA_OUT_OF_MEMORY;
		rc = open_it("cuda");
		failed = kit_standin->failed ? kit_standin->failed : "";
		if (strcmp(failed, "cuMemAlloc") == 0 || strcmp(failed, "cuMemHostAlloc") == 0 ||
				strcmp(failed, "cuDevicePrimaryCtxRetain") == 0) {
			EQ_I64(rc, ERR_LIMIT);
			HAS(said.text, "CUDA_ERROR_OUT_OF_MEMORY (out of memory)");
			seen++;
		}
		kit_standin_clean();
	}
	EQ_I64(seen, 1 + 2 * FEED_SLOTS);
}

static void a_program_that_was_built_without_nvcc(void)
{
	struct fatbin was = fatbin;

	fatbin = (struct fatbin){NULL, 0, NULL};
	EQ_I64(open_it("cuda"), ERR_ABSENT);
	HAS(said.text, "this pthfs was built without nvcc, so it uses no card: build it where CUDA's "
			"toolkit is, or use the processor (device=cpu)");
	EQ_I64(kit_standin->calls, 0);
	auto_is_the_processor("without nvcc");
	fatbin = was;
	kit_standin_clean();
}

static void auto_takes_a_card_that_works(void)
{
	struct engine *g = NULL;
	struct buf why;

	buf_init(&why, 1000);
	OK(engine_open("auto", &g, &why, NULL) == 0);
	HAS(engine_name(g), "cuda:0");
	EQ_I64(why.n, 0);
	engine_close(g);
	OK(engine_open("auto", &g, NULL, NULL) == 0);
	engine_close(g);
	buf_release(&why);
	kit_standin_clean();
}

int main(void)
{
	if (!kit_load_standin())
		return 1;
	TEST(a_machine_without_a_driver);
	TEST(a_driver_that_lacks_a_call);
	TEST(a_driver_of_an_old_version);
	TEST(a_driver_that_does_not_take_the_kernels);
	TEST(a_driver_that_sees_no_card);
	TEST(a_driver_that_does_not_start);
	TEST(a_number_beyond_the_cards);
	TEST(a_card_that_is_too_old);
	TEST(a_card_with_too_little_memory);
	TEST(memory_that_is_gone_when_it_is_taken);
	TEST(a_program_that_was_built_without_nvcc);
	TEST(auto_takes_a_card_that_works);
	return tap_done();
}
