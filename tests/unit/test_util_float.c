/* float_repr against what Python's repr() prints. */
#include <float.h>
#include <math.h>
#include <pthfs/json.h>
#include <stdlib.h>

#include "tap.h"

static void agrees_with_a_table_from_python(void)
{
	static const struct {
		double v;
		const char *text;
	} table[] = {
		{0.0, "0.0"},
		{-0.0, "-0.0"},
		{1.0, "1.0"},
		{-1.0, "-1.0"},
		{2.5, "2.5"},
		{0.1, "0.1"},
		{0.3, "0.3"},
		{0.1 + 0.2, "0.30000000000000004"},
		{1.0 / 3, "0.3333333333333333"},
		{2.0 / 3, "0.6666666666666666"},
		{100.0, "100.0"},
		{1e-4, "0.0001"},
		{1.5e-4, "0.00015"},
		{1e-5, "1e-05"},
		{1.25e-5, "1.25e-05"},
		{0.001, "0.001"},
		{123456.789, "123456.789"},
		{1e15, "1000000000000000.0"},
		{1e16, "1e+16"},
		{1.2e16, "1.2e+16"},
		{9007199254740991.0, "9007199254740991.0"},
		{9007199254740992.0, "9007199254740992.0"},
		{9999999999999998.0, "9999999999999998.0"},
		{123456789012345680.0, "1.2345678901234568e+17"},
		{12345678901234.5, "12345678901234.5"},
		{1e22, "1e+22"},
		{1e23, "1e+23"},
		{1e100, "1e+100"},
		{1e-100, "1e-100"},
		{5e-324, "5e-324"},
		{1e-323, "1e-323"},
		{2.2250738585072014e-308, "2.2250738585072014e-308"},
		{2.225073858507201e-308, "2.225073858507201e-308"},
		{DBL_MAX, "1.7976931348623157e+308"},
		{-DBL_MAX, "-1.7976931348623157e+308"},
		{3.141592653589793, "3.141592653589793"},
		{(double)0.1f, "0.10000000149011612"},
		/* A power of two whose nearest 16-digit number reads back as its neighbour. */
		{0x1p-44, "5.684341886080802e-14"},
		{0x1p-24, "5.960464477539063e-08"},
	};
	char out[32];

	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		EQ_STR(float_repr(table[i].v, out), table[i].text);
}

static void names_what_is_no_number(void)
{
	char out[32];

	EQ_STR(float_repr(INFINITY, out), "inf");
	EQ_STR(float_repr(-INFINITY, out), "-inf");
	EQ_STR(float_repr(NAN, out), "nan");
	EQ_STR(float_repr(-NAN, out), "nan");
}

static void every_text_reads_back_as_the_same_number(void)
{
	uint64_t bits = 88172645463325252u;
	char out[32];
	double v;

	for (int i = 0; i < 20000; i++) {
		bits ^= bits << 13, bits ^= bits >> 7, bits ^= bits << 17;
		memcpy(&v, &bits, sizeof v);
		if (!isfinite(v))
			continue;
		OK(strtod(float_repr(v, out), NULL) == v);
		OK(strlen(out) <= 24);
	}
}

int main(void)
{
	TEST(agrees_with_a_table_from_python);
	TEST(names_what_is_no_number);
	TEST(every_text_reads_back_as_the_same_number);
	return tap_done();
}
