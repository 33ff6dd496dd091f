/* globals.c - every name that a pickle mentions, with a verdict.
 *
 *	dangerous  unpickling it could run code: a finding, whatever else the file holds
 *	known      pthfs knows what it means, or it is on torch's own list
 *	unknown    shown by its attributes; `torch.load` imports its module
 *
 * Modules are compared by their first components, so that no exact name slips through
 * ("os.path" falls under "os"), and in Python 3's and Python 2's spelling ("__builtin__ eval",
 * "commands Popen"). weights_only is weights.c's.
 * (formats/torch-objects.md section 5)
 *
 * A verdict is advice for people: nothing here is ever run, so nothing depends on it for safety.
 */
#include "interpret.h"

#include <stdio.h>
#include <string.h>

#include <pthfs/cleanup.h>

struct symbol {
	const char *module, *name; /* name NULL: everything in the module and below it */
};

/* clang-format off */

/* Code runs, files open, or names resolve to anything. */
static const struct symbol dangerous[] = {
	{"os", NULL}, {"posix", NULL}, {"nt", NULL}, {"subprocess", NULL}, {"popen2", NULL},
	{"sys", NULL}, {"importlib", NULL}, {"imp", NULL}, {"runpy", NULL}, {"pty", NULL},
	{"socket", NULL}, {"shutil", NULL}, {"ctypes", NULL}, {"_ctypes", NULL}, {"cffi", NULL},
	{"pickle", NULL}, {"_pickle", NULL}, {"cPickle", NULL}, {"dill", NULL},
	{"cloudpickle", NULL}, {"joblib", NULL}, {"marshal", NULL}, {"shelve", NULL},
	{"code", NULL}, {"codeop", NULL}, {"timeit", NULL}, {"bdb", NULL}, {"pdb", NULL},
	{"cProfile", NULL}, {"profile", NULL}, {"trace", NULL}, {"doctest", NULL},
	{"asyncio", NULL}, {"multiprocessing", NULL}, {"_thread", NULL},
	{"concurrent", NULL}, {"signal", NULL}, {"webbrowser", NULL}, {"pip", NULL},
	{"ensurepip", NULL}, {"venv", NULL}, {"setuptools", NULL}, {"distutils", NULL},
	{"pkgutil", NULL}, {"zipimport", NULL}, {"zipapp", NULL}, {"idlelib", NULL},
	{"lib2to3", NULL}, {"pydoc", NULL}, {"http", NULL}, {"urllib", NULL},
	{"urllib2", NULL}, {"httplib", NULL}, {"requests", NULL}, {"aiohttp", NULL},
	{"ftplib", NULL}, {"smtplib", NULL}, {"telnetlib", NULL}, {"xmlrpc", NULL},
	{"tempfile", NULL}, {"fileinput", NULL}, {"linecache", NULL}, {"io", NULL},
	{"_io", NULL}, {"inspect", NULL},
	{"ssl", NULL}, {"uuid", "_get_command_stdout"}, {"types", "CodeType"},
	{"types", "FunctionType"}, {"types", "LambdaType"},
	{"builtins", "eval"}, {"builtins", "exec"}, {"builtins", "execfile"},
	{"builtins", "compile"}, {"builtins", "open"}, {"builtins", "file"},
	{"builtins", "getattr"}, {"builtins", "setattr"}, {"builtins", "delattr"},
	{"builtins", "__import__"}, {"builtins", "apply"}, {"builtins", "map"},
	{"builtins", "filter"}, {"builtins", "reduce"}, {"builtins", "globals"},
	{"builtins", "locals"}, {"builtins", "vars"}, {"builtins", "input"},
	{"builtins", "raw_input"}, {"builtins", "breakpoint"},
	{"builtins", "exit"}, {"builtins", "quit"}, {"builtins", "memoryview"},
	{"operator", "attrgetter"}, {"operator", "methodcaller"}, {"operator", "itemgetter"},
	{"_operator", "attrgetter"}, {"_operator", "methodcaller"}, {"_operator", "itemgetter"},
	{"functools", "partial"}, {"functools", "reduce"}, {"functools", "partialmethod"},
	{"_functools", "partial"}, {"_functools", "reduce"}, {"itertools", "starmap"},
	{"torch.hub", NULL}, {"torch.serialization", "load"}, {"torch", "load"},
	{"torch.jit", "load"}, {"torch.utils.cpp_extension", NULL}, {"torch.package", NULL},
	{"torch.utils.model_zoo", NULL}, {"torch.distributed.rpc", NULL},
	{"torch.utils._config_module", NULL}, {"torch.utils.bottleneck", NULL},
	{"torch.utils.collect_env", NULL}, {"torch._inductor.codecache", NULL},
	{"torch._dynamo.guards", NULL}, {"torch.jit.unsupported_tensor_ops", NULL},
	{"torch.utils.data.datapipes.utils.decoder", NULL},
	{"torch.fx.experimental.symbolic_shapes", NULL}, {"torch.storage", "_load_from_file"},
	{"numpy.testing", NULL}, {"numpy.f2py", NULL}, {"numpy", "load"},
	{"numpy.lib.npyio", NULL}, {"numpy.distutils", NULL}, {"pandas", "read_pickle"},
	{"transformers.dynamic_module_utils", NULL}, {"tensorflow.io", NULL},
};

/* Harmless and common, without a meaning of its own in calls.c. */
static const struct symbol known[] = {
	{"argparse", "Namespace"}, {"types", "SimpleNamespace"}, {"collections", "deque"},
	{"builtins", "object"}, {"builtins", "int"}, {"builtins", "long"}, {"builtins", "float"},
	{"builtins", "str"}, {"builtins", "unicode"}, {"builtins", "bool"}, {"builtins", "list"},
	{"builtins", "tuple"}, {"builtins", "xrange"}, {"builtins", "NoneType"},
	{"numpy", "ndarray"}, {"numpy.ma.core", "MaskedArray"},
	{"numpy.ma", "MaskedArray"}, {"torch.nn.modules", NULL},
	{"torch.nn.backends.thnn", "_get_thnn_function_backend"}, {"torch.nn.parallel", NULL},
	{"torch.optim", NULL}, {"torch.jit._pickle", NULL}, {"__torch__", NULL},
};

/* clang-format on */

static bool in_module(struct str module, const char *name)
{
	size_t n = strlen(name);

	return module.n >= n && memcmp(module.p, name, n) == 0 &&
	       (module.n == n || module.p[n] == '.');
}

static bool listed(const struct symbol *list, size_t n, struct str module, struct str name)
{
	for (size_t i = 0; i < n; i++) {
		if (!in_module(module, list[i].module))
			continue;
		if (!list[i].name)
			return true;
		if (module.n == strlen(list[i].module) && str_is(name, list[i].name))
			return true;
	}
	return false;
}

/* "builtins" with the name "getattr.x", or ("torch", "hub.load"): dots in the name part count as
 * module, since protocol 4 walks them. */
static bool is_dangerous(struct str module, struct str name)
{
	char joined[128];
	int n;
	const char *dot;
	struct str rest = name;

	if (listed(dangerous, ARRAY_SIZE(dangerous), module, name))
		return true;
	while (rest.n && (dot = memchr(rest.p, '.', rest.n))) {
		struct str head = {name.p, (size_t)(dot - name.p)};

		rest = (struct str){dot + 1, name.n - head.n - 1};
		if (listed(dangerous, ARRAY_SIZE(dangerous), module, head))
			return true;
		n = snprintf(joined, sizeof joined, "%.*s.%.*s", STR_FMT(module), STR_FMT(head));
		if (n > 0 && (size_t)n < sizeof joined &&
				listed(dangerous, ARRAY_SIZE(dangerous),
						(struct str){joined, (size_t)n}, rest))
			return true;
	}
	return false;
}

/* Storage classes, tensor classes and dtypes, also such as weights_name() does not have (aliases of
 * dtypes, classes of other versions): a long list. */
static bool is_torch_type(struct str module, struct str name)
{
	bool torch = str_is(module, "torch");

	if (dtype_by_storage(name) &&
			(torch || str_is(module, "torch.storage") || str_is(module, "torch.cuda")))
		return true;
	if (torch && dtype_by_name(name))
		return true;
	return str_ends(name, STR("Tensor")) &&
	       (torch || str_is(module, "torch.cuda") || str_is(module, "torch.sparse") ||
			       str_is(module, "torch.cuda.sparse"));
}

static void judge(struct loader *l, oref r, struct global_use *u)
{
	char tmp[128];
	struct str module = modern_module(u->module, tmp);

	u->weights_only = weights_name(u->module, u->name) != WEIGHTS_NOT;
	if (is_dangerous(module, u->name))
		u->verdict = GLOBAL_DANGEROUS;
	else if (u->weights_only || is_torch_type(module, u->name) || role_of(l, r)->role != ROLE_UNKNOWN ||
			listed(known, ARRAY_SIZE(known), module, u->name))
		u->verdict = GLOBAL_KNOWN;
	else
		u->verdict = GLOBAL_UNKNOWN;
}

static bool same_global(const void *ctx, const void *key, uint32_t id)
{
	const struct checkpoint *c = ctx;
	const struct global_use *u = key, *v = &c->globals.at[id];

	return str_eq(u->module, v->module) && str_eq(u->name, v->name);
}

static int add_global(struct loader *l, struct idmap *map, oref r, struct global_use *u)
{
	struct checkpoint *c = l->c;
	uint64_t hash = str_hash(u->name) * 31 + str_hash(u->module);
	uint32_t at = idmap_find(map, hash, same_global, c, u);

	if (at != IDMAP_NONE) {
		c->globals.at[at].uses++;
		return 0;
	}
	u->uses = 1;
	judge(l, r, u);
	if (vec_room(&c->globals, 1) < 0 || idmap_add(map, hash, (uint32_t)c->globals.n) < 0)
		return err_nomem(l->e);
	c->globals.at[c->globals.n++] = *u;
	if (u->verdict != GLOBAL_DANGEROUS)
		return 0;
	return model_find(l->m, "dangerous", dotted_name(l, r), u->offset, l->e,
			"the pickle names %.60s.%.60s, which can run code when Python unpickles "
			"it; "
			"pthfs does not run it",
			STR_SHOW(u->module), STR_SHOW(u->name));
}

int globals_scan(struct loader *l)
{
	struct idmap map = {0};
	struct global_use u;
	int rc = 0;

	for (oref r = 0; r < l->g->nodes.n && rc == 0; r++) {
		u = (struct global_use){.offset = obj_off(l->g, r)};
		if (obj_global(l->g, r, &u.module, &u.name))
			rc = add_global(l, &map, r, &u);
	}
	idmap_release(&map);
	return rc;
}
