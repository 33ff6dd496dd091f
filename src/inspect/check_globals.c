/* check_globals.c - names that the pickle mentions, with what they could do.
 *
 * Which are known, unknown or dangerous is decided where they are read (src/format/globals.c). Here
 * the dangerous ones get their reason: by name where one module does harmless and harmful things
 * (builtins), by the first components of the module otherwise, in Python 3's and Python 2's
 * spelling. One without a row is dangerous all the same.
 */
#include "check_in.h"

#include <stdio.h>
#include <string.h>

#include <pthfs/cleanup.h>

static const char runs_programs[] = "runs other programs";
static const char runs_python[] = "runs Python code that it is given";
static const char any_attribute[] = "reaches any attribute of anything, and so any function";
static const char calls_later[] = "calls whatever function it is given";
static const char imports[] = "imports or runs any module";
static const char unpickles[] = "loads further data, which can run code in its turn";
static const char network[] = "talks to the network";
static const char files[] = "reads, writes or removes files";
static const char memory[] = "calls into C libraries and any memory";
static const char fetches[] = "downloads or compiles code and runs it";
static const char threads[] = "starts threads, processes or signal handlers";

/* clang-format off */
static const struct reason {
	const char *module, *name; /* name NULL: all of the module and below it */
	const char *text;
} reasons[] = {
	{"builtins", "eval", runs_python}, {"builtins", "exec", runs_python},
	{"builtins", "execfile", runs_python}, {"builtins", "compile", runs_python},
	{"builtins", "breakpoint", runs_python}, {"builtins", "input", runs_python},
	{"builtins", "open", files}, {"builtins", "file", files},
	{"builtins", "__import__", imports},
	{"builtins", "getattr", any_attribute}, {"builtins", "setattr", any_attribute},
	{"builtins", "delattr", any_attribute}, {"builtins", "globals", any_attribute},
	{"builtins", "locals", any_attribute}, {"builtins", "vars", any_attribute},
	{"builtins", "apply", calls_later}, {"builtins", "map", calls_later},
	{"builtins", "filter", calls_later}, {"builtins", "reduce", calls_later},
	{"operator", NULL, any_attribute}, {"_operator", NULL, any_attribute},
	{"functools", NULL, calls_later}, {"_functools", NULL, calls_later},
	{"itertools", NULL, calls_later}, {"types", NULL, "makes functions out of bytes"},
	{"os", NULL, "runs programs and removes files"},
	{"posix", NULL, "runs programs and removes files"},
	{"nt", NULL, "runs programs and removes files"},
	{"subprocess", NULL, runs_programs}, {"popen2", NULL, runs_programs},
	{"commands", NULL, runs_programs}, {"pty", NULL, runs_programs},
	{"webbrowser", NULL, runs_programs}, {"uuid", NULL, runs_programs},
	{"code", NULL, runs_python}, {"codeop", NULL, runs_python}, {"timeit", NULL, runs_python},
	{"bdb", NULL, runs_python}, {"pdb", NULL, runs_python}, {"cProfile", NULL, runs_python},
	{"profile", NULL, runs_python}, {"trace", NULL, runs_python}, {"doctest", NULL, runs_python},
	{"runpy", NULL, imports}, {"importlib", NULL, imports}, {"imp", NULL, imports},
	{"pkgutil", NULL, imports}, {"zipimport", NULL, imports}, {"pydoc", NULL, imports},
	{"sys", NULL, "reaches every loaded module"},
	{"pickle", NULL, unpickles}, {"_pickle", NULL, unpickles}, {"cPickle", NULL, unpickles},
	{"dill", NULL, unpickles}, {"cloudpickle", NULL, unpickles}, {"joblib", NULL, unpickles},
	{"marshal", NULL, unpickles}, {"shelve", NULL, unpickles}, {"numpy", NULL, unpickles},
	{"pandas", NULL, unpickles}, {"torch.serialization", NULL, unpickles},
	{"torch.storage", NULL, unpickles}, {"torch.package", NULL, unpickles},
	{"torch.jit", NULL, unpickles}, {"torch", "load", unpickles},
	{"socket", NULL, network}, {"ssl", NULL, network}, {"http", NULL, network},
	{"urllib", NULL, network}, {"urllib2", NULL, network}, {"httplib", NULL, network},
	{"requests", NULL, network}, {"aiohttp", NULL, network}, {"ftplib", NULL, network},
	{"smtplib", NULL, network}, {"telnetlib", NULL, network}, {"xmlrpc", NULL, network},
	{"torch.distributed", NULL, network},
	{"shutil", NULL, files}, {"tempfile", NULL, files}, {"fileinput", NULL, files},
	{"linecache", NULL, files}, {"io", NULL, files}, {"_io", NULL, files},
	{"ctypes", NULL, memory}, {"_ctypes", NULL, memory}, {"cffi", NULL, memory},
	{"torch.hub", NULL, fetches}, {"torch.utils.cpp_extension", NULL, fetches},
	{"torch.utils.model_zoo", NULL, fetches}, {"pip", NULL, fetches},
	{"ensurepip", NULL, fetches}, {"setuptools", NULL, fetches}, {"distutils", NULL, fetches},
	{"transformers.dynamic_module_utils", NULL, fetches},
	{"asyncio", NULL, threads}, {"multiprocessing", NULL, threads}, {"_thread", NULL, threads},
	{"concurrent", NULL, threads}, {"signal", NULL, threads},
};
/* clang-format on */

static bool in_module(struct str module, const char *name)
{
	size_t n = strlen(name);

	return module.n >= n && memcmp(module.p, name, n) == 0 &&
			(module.n == n || module.p[n] == '.');
}

static const char *reason(struct str module, struct str name)
{
	const char *dot = name.n ? memchr(name.p, '.', name.n) : NULL;
	struct str head = dot ? str_cut(name, (size_t)(dot - name.p)) : name;

	if (str_is(module, "__builtin__"))
		module = STR("builtins");
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (in_module(module, reasons[i].module) &&
				(!reasons[i].name || str_is(head, reasons[i].name)))
			return reasons[i].text;
	return "can run code or reach what can";
}

static int say_global(struct check *k, const struct global_use *g)
{
	char full[280];
	struct str name = {full, 0};
	uint64_t off = check_pickle_off(k, g->offset);
	char module[128], leaf[128];
	int n = snprintf(full, sizeof full, "%s.%s", str_show(g->module, module, sizeof module),
			str_show(g->name, leaf, sizeof leaf));

	name.n = n < 0 ? 0 : (size_t)n < sizeof full ? (size_t)n : sizeof full - 1;
	if (g->verdict == GLOBAL_DANGEROUS)
		return check_say(k, SEVERITY_DANGER, "global", name, off,
				"the pickle names %s, which %s: do not unpickle this file in Python "
				"(pthfs runs nothing)",
				full, reason(g->module, g->name));
	return check_say(k, SEVERITY_WARNING, "global", name, off,
			"the pickle names %s, which pthfs does not know: "
			"torch.load(weights_only=False) imports and calls it",
			full);
}

int check_globals(struct check *k)
{
	const struct global_use *at = k->c->globals.at;
	int rc = 0;

	for (size_t i = 0; i < k->c->globals.n && rc == 0; i++)
		if (at[i].verdict != GLOBAL_KNOWN)
			rc = say_global(k, &at[i]);
	return rc;
}
