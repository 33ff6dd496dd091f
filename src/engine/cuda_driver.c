/* cuda_driver.c - finds the NVIDIA driver's library and its calls when somebody asks for a card.
 *
 * The one place of pthfs that loads code at run time. The name has no slash, so the loader looks
 * where the system's administrator says; its environment variables are void for setuid programs.
 */
#include "cuda_driver.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

const char *cuda_library = "libcuda.so.1";

/* C has no cast from an object pointer to one of a function; POSIX says that they are alike. */
static bool find(void *library, const char *symbol, void *function)
{
	void *p = dlsym(library, symbol);

	memcpy(function, &p, sizeof p);
	return p != NULL;
}

int cuda_driver_open(struct cuda_driver *ret, struct err *e)
{
	struct cuda_driver d = {.library = dlopen(cuda_library, RTLD_NOW | RTLD_LOCAL)};
	const char *missing = NULL;

	if (!d.library)
		return err_set(e, ERR_ABSENT, "no NVIDIA driver is installed here (%s): install "
				"one, or use the processor (device=cpu)", dlerror());
#define X(member, symbol, ...)                                                                     \
	if (!find(d.library, #symbol, &d.member))                                                  \
		missing = #symbol;
	CUDA_CALLS(X)
#undef X
	if (missing) {
		cuda_driver_close(&d);
		return err_set(e, ERR_UNSUPPORTED, "the NVIDIA driver is too old: it has no %s; "
				"update it to one of CUDA 11.0 or later, or use the processor "
				"(device=cpu)", missing);
	}
	*ret = d;
	return 0;
}

void cuda_driver_close(struct cuda_driver *d)
{
	if (d->library)
		dlclose(d->library);
	memset(d, 0, sizeof *d);
}

int cuda_check(const struct cuda_driver *d, const char *call, int result, struct err *e)
{
	const char *name = NULL, *text = NULL;

	if (result == 0)
		return 0;
	if (d->error_name(result, &name) != 0 || !name)
		return err_set(e, ERR_SYS, "%s: CUDA error %d", call, result);
	if (d->error_text(result, &text) != 0 || !text)
		return err_set(e, ERR_SYS, "%s: %s", call, name);
	return err_set(e, ERR_SYS, "%s: %s (%s)", call, name, text);
}
