/* engine_kit.h - elements of every dtype and kind, for the tests of the engines. */
#ifndef ENGINE_KIT_H
#define ENGINE_KIT_H

#include "check_kit.h"

#include <dirent.h>
#include <pthread.h>
#include <unistd.h>

#include "../../src/engine/kernels.h"
#include "../../src/engine/pool.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static uint64_t kit_state = 88172645463325252u;

static inline uint64_t kit_random(void)
{
	kit_state ^= kit_state << 13;
	kit_state ^= kit_state >> 7;
	kit_state ^= kit_state << 17;
	return kit_state;
}

/* About normal around 0, of size 1. */
static inline double kit_normal(void)
{
	double x = -6;

	for (unsigned k = 0; k < 12; k++)
		x += (double)(kit_random() >> 11) * 0x1p-53;
	return x;
}

enum flavour {
	ANY_BITS,  /* floats: many NaN, any exponent */
	WEIGHTS,   /* small numbers around 0 */
	FAR_AWAY,  /* small differences around a large number */
	TINY,      /* denormals, and zeros of both signs */
	FEW_NAN,   /* weights, one in 1000 of them NaN, Inf or -Inf */
	ALL_NAN,
	ONE_VALUE,
	FLAVOURS,
};

static inline unsigned kit_size(enum dtype dt)
{
	return dtype_info(dt)->size ? dtype_info(dt)->size : 1;
}

/* Bytes of one real floating number of `size` bytes with (about) this value. */
static inline void kit_float(enum dtype dt, double v, void *to)
{
	float f = (float)v;
	uint32_t bits;
	uint16_t upper;

	if (dt == DTYPE_FLOAT64 || dt == DTYPE_COMPLEX128) {
		memcpy(to, &v, sizeof v);
		return;
	}
	memcpy(&bits, &f, sizeof bits);
	if (dt == DTYPE_FLOAT32 || dt == DTYPE_COMPLEX64) {
		memcpy(to, &f, sizeof f);
	} else if (dt == DTYPE_BFLOAT16) {
		upper = (uint16_t)(bits >> 16);
		memcpy(to, &upper, sizeof upper);
	} else { /* half precision, cut off; what is too small is 0, too large Inf */
		int exponent = (int)(bits >> 23 & 0xff) - 112;

		upper = (uint16_t)(bits >> 16 & 0x8000);
		if (isnan(f))
			upper |= 0x7e00;
		else if (exponent > 30)
			upper |= 0x7c00;
		else if (exponent > 0)
			upper |= (uint16_t)((uint32_t)exponent << 10 | (bits >> 13 & 0x3ff));
		memcpy(to, &upper, sizeof upper);
	}
}

static inline bool kit_has_floats(enum dtype dt)
{
	return dtype_info(dt)->flags & (DT_FLOAT | DT_COMPLEX) && kit_size(dt) > 1;
}

static inline double kit_value(enum flavour flavour)
{
	static const double odd[] = {NAN, INFINITY, -INFINITY};

	switch (flavour) {
	case FAR_AWAY:
		return 1000 + kit_normal();
	case FEW_NAN:
		return kit_random() % 1000 ? kit_normal() : odd[kit_random() % 3];
	case ALL_NAN:
		return NAN;
	case ONE_VALUE:
		return 0.1;
	default:
		return kit_normal() * 0.02;
	}
}

/* n bytes of elements of dt. */
static inline void kit_fill(enum dtype dt, enum flavour flavour, void *p, size_t n)
{
	unsigned width = dtype_info(dt)->flags & DT_COMPLEX ? kit_size(dt) / 2 : kit_size(dt);
	uint8_t *to = p, one[16] = {0};

	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)(kit_random() >> 24);
	if (flavour == ONE_VALUE)
		memset(to, 0x2b, n);
	if (flavour == ANY_BITS || !kit_has_floats(dt))
		return;
	for (size_t i = 0; i < n; i += width) {
		uint64_t tiny = (kit_random() % 3 ? 0 : kit_random() % 100) |
			(kit_random() & 1) << (8 * width - 1);

		if (flavour == TINY)
			memcpy(one, &tiny, sizeof tiny);
		else
			kit_float(dt, kit_value(flavour), one);
		memcpy(to + i, one, n - i < width ? n - i : width);
	}
}

/* A file without a name that has these bytes: read by several threads at a time. */
static inline struct content kit_file(const void *p, size_t n)
{
	FILE *f = tmpfile();
	struct source *s = NULL;
	struct content c = {0};

	OK(f && fwrite(p, 1, n, f) == n && fflush(f) == 0);
	OK(source_file_fd(dup(fileno(f)), &s, NULL) == 0);
	OK(content_source(s, &c) == 0);
	fclose(f);
	return c;
}

/* The kernels that this processor can run, kernels_plain first. */
static inline unsigned kit_kernels(const struct kernels *ret[3])
{
	unsigned n = 0;

	ret[n++] = &kernels_plain;
#ifdef __x86_64__
	if (kernels_best() != &kernels_plain)
		ret[n++] = &kernels_avx2;
	if (kernels_best() == &kernels_avx512)
		ret[n++] = &kernels_avx512;
#endif
	return n;
}

static inline unsigned kit_threads_now(void)
{
	DIR *d = opendir("/proc/self/task");
	unsigned n = 0;

	for (struct dirent *entry; d && (entry = readdir(d));)
		n += entry->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

/* Of the program before it did anything: sanitizers start one of their own with the first. */
static unsigned kit_threads_before;

static inline void *kit_nothing(void *arg)
{
	return arg;
}

static inline void kit_begin(void)
{
	pthread_t t;

	OK(pthread_create(&t, NULL, kit_nothing, NULL) == 0 && pthread_join(t, NULL) == 0);
	usleep(20000);
	kit_threads_before = kit_threads_now();
}

/* A thread that was joined may be listed a moment longer. */
static inline bool kit_no_thread_left(void)
{
	for (unsigned k = 0; k < 1000 && kit_threads_now() > kit_threads_before; k++)
		usleep(1000);
	return kit_threads_now() == kit_threads_before;
}

/* The same bits, or NaN both. */
static inline bool kit_same(double a, double b)
{
	return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

#endif
