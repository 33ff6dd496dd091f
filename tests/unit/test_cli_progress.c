/* Progress on a terminal, and what a misspelt name may have meant. */
#include "../../src/cli/near.h"
#include "../../src/cli/progress.h"

#include "tap.h"

#include <stdlib.h>

/* Told once, `late` seconds after the first second, at 43 of 100 bytes; then ended. */
static void shown(bool tty, int late, char *ret, size_t size)
{
	struct progress p;
	char *text = NULL;
	size_t n = 0;

	progress_begin(&p, "committing");
	p.to = open_memstream(&text, &n);
	p.tty = tty;
	p.next.tv_sec -= 1 + late;
	progress_tell(&p, 43000, 100000);
	progress_tell(&p, 44000, 100000);
	progress_end(&p);
	fclose(p.to);
	snprintf(ret, size, "%s", text);
	free(text);
}

static void after_a_second_it_is_said_once_and_then_taken_away(void)
{
	char line[100];

	shown(true, 0, line, sizeof line);
	EQ_STR(line, "\rcommitting: 43% of 100.0 KB\033[K\r\033[K");
}

static void in_the_first_second_nothing_is_said(void)
{
	char line[100];

	shown(true, -1, line, sizeof line);
	EQ_STR(line, "");
}

static void what_is_no_terminal_gets_nothing(void)
{
	char line[100];

	shown(false, 0, line, sizeof line);
	EQ_STR(line, "");
}

static bool near(const char *wanted, const char *there)
{
	return near_match(str_of(wanted), str_of(there));
}

static void a_name_with_a_prefix_more_or_less_is_near(void)
{
	OK(near("fc.weight", "module.fc.weight"));
	OK(near("module.fc.weight", "fc.weight"));
	OK(near("fc.weight", "model/fc.weight"));
	OK(near("model/fc.weight", "model/module.fc.weight"));
	OK(near("Epoch", "epoch"));
}

static void other_names_are_not_near(void)
{
	OK(!near("fc.weight", "fc.bias"));
	OK(!near("c.weight", "fc.weight"));
	OK(!near("a/fc.weight", "b/module.fc.weight"));
	OK(!near("fc", "fc.weight"));
}

int main(void)
{
	TEST(after_a_second_it_is_said_once_and_then_taken_away);
	TEST(in_the_first_second_nothing_is_said);
	TEST(what_is_no_terminal_gets_nothing);
	TEST(a_name_with_a_prefix_more_or_less_is_near);
	TEST(other_names_are_not_near);
	return tap_done();
}
