/* Every name in a pickle has a verdict; the dangerous ones are findings. */
#include "ckpt.h"

static const struct global_use *use(const struct ckpt *k, const char *module, const char *name)
{
	static const struct global_use none = {.verdict = 99};

	for (size_t i = 0; k->c && i < k->c->globals.n; i++)
		if (str_is(k->c->globals.at[i].module, module) &&
				str_is(k->c->globals.at[i].name, name))
			return &k->c->globals.at[i];
	return &none;
}

static void what_torch_writes_is_known_and_weights_only(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT("\x80\4" FOUR("\0") "."));
	EQ_I64(use(&k, "torch._utils", "_rebuild_tensor_v2")->verdict, GLOBAL_KNOWN);
	OK(use(&k, "torch._utils", "_rebuild_tensor_v2")->weights_only);
	OK(use(&k, "torch", "FloatStorage")->weights_only);
	OK(use(&k, "collections", "OrderedDict")->weights_only);
	EQ_STR(ckpt_finding(&k, "dangerous"), "");
	ckpt_release(&k);
}

static void dtypes_and_tensor_classes_are_weights_only(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\2(ctorch\nbfloat16\nctorch.cuda\nHalfTensor\nctorch\ndevice\nc__"
			  "builtin__\nset\nt."));
	for (size_t i = 0; i < k.c->globals.n; i++)
		OK(k.c->globals.at[i].weights_only);
	EQ_I64(k.c->globals.n, 4);
	ckpt_release(&k);
}

static void class_of_the_user_is_unknown(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\2"
			  "cmodels\nNet\n)\x81."));
	EQ_I64(use(&k, "models", "Net")->verdict, GLOBAL_UNKNOWN);
	ckpt_release(&k);
}

static void namespace_is_known_but_not_weights_only(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\2"
			  "cargparse\nNamespace\n)\x81."));
	EQ_I64(use(&k, "argparse", "Namespace")->verdict, GLOBAL_KNOWN);
	OK(!use(&k, "argparse", "Namespace")->weights_only);
	ckpt_release(&k);
}

static void names_that_run_code_are_findings(void)
{
	static const char *const lines[] = {
			"posix\nsystem\n",
			"os\nsystem\n",
			"os.path\njoin\n",
			"__builtin__\neval\n",
			"builtins\nexec\n",
			"commands\nPopen\n",
			"subprocess\nPopen\n",
			"nt\nsystem\n",
			"importlib\nimport_module\n",
			"torch.hub\nload\n",
			"functools\npartial\n",
			"operator\nattrgetter\n",
			"runpy\nrun_path\n",
			"pip._internal\nmain\n",
			"asyncio.unix_events\n_UnixSubprocessTransport._start\n",
			"torch\nhub.load\n",
			"builtins\neval.__call__\n",
			"ctypes\nCDLL\n",
	};
	char p[200];
	struct ckpt k;

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		int n = snprintf(p, sizeof p,
				"\x80\2"
				"c%s.",
				lines[i]);

		ckpt_file(&k, p, (size_t)n);
		EQ_I64(k.c ? k.c->globals.at[0].verdict : -1, GLOBAL_DANGEROUS);
		HAS(ckpt_finding(&k, "dangerous"), "can run code");
		ckpt_release(&k);
	}
}

/* "osmosis" begins with "os", "codec" with "code". */
static void modules_are_compared_by_whole_components(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\2(cosmosis\nsystem\nccodec\nrun\ncbuiltins\nlist\nt."));
	EQ_STR(ckpt_finding(&k, "dangerous"), "");
	ckpt_release(&k);
}

static void uses_are_counted_by_name(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\2(cm\na\ncm\na\ncm\nb\nt."));
	EQ_I64(k.c->globals.n, 2);
	EQ_I64(use(&k, "m", "a")->uses, 2);
	EQ_I64(use(&k, "m", "a")->offset, 3);
	ckpt_release(&k);
}

static enum weights_name named(const char *module, const char *name)
{
	return weights_name(str_of(module), str_of(name));
}

/* torch compares "module.name": where the dot is that ends the module does not matter. */
static void weights_only_knows_names_by_their_whole_path(void)
{
	EQ_I64(named("torch.nn.parameter", "Parameter"), WEIGHTS_PARAMETER);
	EQ_I64(named("torch", "nn.parameter.Parameter"), WEIGHTS_PARAMETER);
	EQ_I64(named("torch.nn", "Parameter"), WEIGHTS_NOT);
	EQ_I64(named("__builtin__", "set"), WEIGHTS_SET);
	EQ_I64(named("UserDict", "OrderedDict"), WEIGHTS_ODICT);
	EQ_I64(named("os", "system"), WEIGHTS_NOT);
	EQ_I64(named("", ""), WEIGHTS_NOT);
}

static void weights_only_knows_dtypes_by_their_own_names_only(void)
{
	EQ_I64(named("torch", "float16"), WEIGHTS_VALUE);
	EQ_I64(named("torch", "half"), WEIGHTS_NOT);
	EQ_I64(named("torch", "int"), WEIGHTS_NOT);
}

static void weights_only_knows_the_classes_of_each_device(void)
{
	EQ_I64(named("torch", "QInt8Storage"), WEIGHTS_STORAGE);
	EQ_I64(named("torch.cuda", "QInt8Storage"), WEIGHTS_NOT);
	EQ_I64(named("torch", "UntypedStorage"), WEIGHTS_NOT);
	EQ_I64(named("torch.storage", "UntypedStorage"), WEIGHTS_UNTYPED);
	EQ_I64(named("torch.cuda.sparse", "FloatTensor"), WEIGHTS_TENSOR);
	EQ_I64(named("torch.sparse", "BoolTensor"), WEIGHTS_NOT);
	EQ_I64(named("torch.sparse", "FloatStorage"), WEIGHTS_NOT);
}

int main(void)
{
	TEST(what_torch_writes_is_known_and_weights_only);
	TEST(dtypes_and_tensor_classes_are_weights_only);
	TEST(class_of_the_user_is_unknown);
	TEST(namespace_is_known_but_not_weights_only);
	TEST(names_that_run_code_are_findings);
	TEST(modules_are_compared_by_whole_components);
	TEST(uses_are_counted_by_name);
	TEST(weights_only_knows_names_by_their_whole_path);
	TEST(weights_only_knows_dtypes_by_their_own_names_only);
	TEST(weights_only_knows_the_classes_of_each_device);
	return tap_done();
}
