/* A whole nn.Module becomes what its state_dict() would be. */
#include "ckpt.h"

#define PAIR(len, name, value) TEXT(len, name) value
/* The state of a module: parameters, buffers, children, and what follows them. */
#define MODULE(cls, params, buffers, children, more)                                               \
	"clib\n" cls "\n)\x81}(" PAIR("\x8", "training", "\x88")                                   \
			PAIR("\xb", "_parameters", params) PAIR("\x8", "_buffers", buffers)        \
					PAIR("\x8", "_modules", children) more "ub"
#define LEAF(offset)                                                                               \
	MODULE("Linear", "}(" TEXT("\1", "w") PARAMETER(FOUR(offset)) TEXT("\1", "b") "Nu", "}",   \
			"}", "")

static void keys_are_parameters_then_buffers_then_children(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT("\x80\4" MODULE("Net", "}" TEXT("\1", "p") PARAMETER(FOUR("\0")) "s",
				     "}(" TEXT("\1", "m") FOUR("\1") TEXT("\1", "n") "Nu",
				     "}(" TEXT("\2", "fc") LEAF("\2") TEXT("\4", "none") "Nu",
				     "") "."));
	EQ_I64(ckpt_kind(&k, ""), VALUE_MODULE);
	EQ_STR(ckpt_keys(&k, ""), "p m fc.w");
	OK(ckpt_at(&k, "")->flags & VALUE_STATE_DICT);
	OK(ckpt_tensor(&k, "p")->flags & TENSOR_PARAMETER);
	OK(ckpt_tensor(&k, "m")->flags & TENSOR_BUFFER);
	OK(!(ckpt_tensor(&k, "fc.w")->flags & TENSOR_BUFFER));
	ckpt_release(&k);
}

static void buffers_that_are_not_persistent_are_left_out(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT("\x80\4" MODULE("Net", "}",
				     "}(" TEXT("\1", "m") FOUR("\1") TEXT("\1", "n") FOUR("\2") "u",
				     "}",
				     PAIR("\x1b", "_non_persistent_buffers_set",
						     "c__builtin__\nset\n](" TEXT(
								     "\1", "n") "e\x85R")) "."));
	EQ_STR(ckpt_keys(&k, ""), "m");
	ckpt_release(&k);
}

static void raw_attributes_stay_reachable(void)
{
	struct ckpt k;
	const struct model *m;
	uint32_t raw, inner;

	ckpt_zip(&k, LIT("\x80\4" MODULE("Net", "}", "}", "}" TEXT("\2", "fc") LEAF("\0") "s",
				     PAIR("\2", "lr", "K\7")) "."));
	m = &k.c->model;
	raw = ckpt_at(&k, "")->raw;
	EQ_I64(m->values.at[raw].kind, VALUE_OBJECT);
	EQ_I64(m->values.at[raw].n, 5);
	inner = ckpt_entry(m, ckpt_entry(m, raw, STR("_modules")), STR("fc"));
	/* Below raw attributes a module is its attributes. */
	EQ_I64(m->values.at[inner].kind, VALUE_OBJECT);
	ckpt_release(&k);
}

static void child_under_two_names_gives_its_keys_twice(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT("\x80\4" MODULE("Net", "}", "}",
				     "}(" TEXT("\1", "a") LEAF("\0") "q\5" TEXT("\1", "c") "h\5u",
				     "") "."));
	EQ_STR(ckpt_keys(&k, ""), "a.w c.w");
	OK(ckpt_tensor(&k, "a.w") == ckpt_tensor(&k, "c.w"));
	ckpt_release(&k);
}

static void module_that_is_its_own_child_is_left_out_with_a_note(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT("\x80\4"
			 "clib\nNet\n)\x81q\1}(" PAIR("\xb", "_parameters",
					 "}" TEXT("\1", "p") FOUR("\0") "s") PAIR("\x8", "_buffers",
					 "}") PAIR("\x8", "_modules",
					 "}" TEXT("\2", "me") "h\1s") "ub."));
	EQ_STR(ckpt_keys(&k, ""), "p");
	HAS(ckpt_finding(&k, "note"), "it holds itself");
	ckpt_release(&k);
}

/* Each of 60 modules holds the next one twice: 2^60 names. */
static void shared_children_cannot_expand_without_end(void)
{
	enum { DEPTH = 60 };
	static const char head[] = "clib\nM\n)\x81}(" PAIR("\xb", "_parameters", "}")
			PAIR("\x8", "_buffers", "}") PAIR("\x8", "_modules", "}(" TEXT("\1", "a"));
	static const char tail[] = "q\1" TEXT("\1", "b") "h\1uub";
	char p[8192], *at = p;
	struct ckpt k;

	*at++ = '\x80';
	*at++ = '\4';
	for (int i = 0; i < DEPTH; i++, at += sizeof head - 1)
		memcpy(at, head, sizeof head - 1);
	*at++ = 'N';
	for (int i = 0; i < DEPTH; i++, at += sizeof tail - 1)
		memcpy(at, tail, sizeof tail - 1);
	*at++ = '.';
	ckpt_file(&k, p, (size_t)(at - p));
	EQ_I64(k.rc, ERR_LIMIT);
	HAS(k.e.text, "max_names");
	ckpt_release(&k);
}

static void module_below_a_dict_is_flattened_too(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT("\x80\4}(" TEXT("\5", "model") LEAF("\0") TEXT("\5", "epoch") "K\3u."));
	EQ_I64(ckpt_kind(&k, "model"), VALUE_MODULE);
	EQ_STR(ckpt_keys(&k, "model"), "w");
	ckpt_release(&k);
}

static void ordered_dicts_of_python_2_in_a_module(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\2"
			  "clib\nM\n)\x81}(U\x0b_parametersccollections\nOrderedDict\n](]("
			  "U\1wctorch._utils\n"
			  "_rebuild_meta_tensor_no_storage\n(ctorch\nfloat32\n))\x89tRee\x85RU\x8_"
			  "buffers}U\x8_modules}ub."));
	EQ_I64(ckpt_kind(&k, ""), VALUE_MODULE);
	EQ_STR(ckpt_keys(&k, ""), "w");
	ckpt_release(&k);
}

/* torch.save(torch.compile(net)): a call, and what load_state_dict() of it wants to be called. */
static void what_torch_compile_makes_has_its_keys_behind_orig_mod(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT("\x80\4ctorch._dynamo.eval_frame\nOptimizedModule\n" MODULE("Net",
				     "}" TEXT("\1", "p") PARAMETER(FOUR("\0")) "s", "}",
				     "}" TEXT("\2", "fc") LEAF("\1") "s", "") "}\x86R."));
	EQ_I64(ckpt_kind(&k, ""), VALUE_MODULE);
	EQ_STR(ckpt_keys(&k, ""), "_orig_mod.p _orig_mod.fc.w");
	OK(ckpt_at(&k, "")->flags & VALUE_STATE_DICT);
	ckpt_release(&k);
}

static void a_compiled_module_may_be_a_child(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT("\x80\4" MODULE("DataParallel", "}", "}",
				     "}(" TEXT("\1", "m") "ctorch._dynamo.eval_frame\n"
				     "OptimizedModule\n" LEAF("\0") "}\x86R"
				     TEXT("\1", "n") LEAF("\1") "u", "") "."));
	EQ_STR(ckpt_keys(&k, ""), "m._orig_mod.w n.w");
	ckpt_release(&k);
}

static void an_optimized_module_of_no_module_is_an_object(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT("\x80\4ctorch._dynamo.eval_frame\nOptimizedModule\n}}\x86R."));
	EQ_I64(ckpt_kind(&k, ""), VALUE_OBJECT);
	ckpt_release(&k);
}

/* Their state_dict() is code, so those keys cannot be had; that they are missing is said. */
static void packed_weights_of_quantized_layers_are_told_of(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT("\x80\4" "ctorch.ao.nn.quantized.modules.linear\nLinearPackedParams\n)\x81}("
			 PAIR("\xb", "_parameters", "}") PAIR("\x8", "_buffers", "}")
			 PAIR("\x8", "_modules", "}") "ub."));
	EQ_STR(ckpt_keys(&k, ""), "");
	HAS(ckpt_finding(&k, "note"), "packed weights of quantized layers");
	ckpt_release(&k);
}

int main(void)
{
	TEST(keys_are_parameters_then_buffers_then_children);
	TEST(buffers_that_are_not_persistent_are_left_out);
	TEST(raw_attributes_stay_reachable);
	TEST(child_under_two_names_gives_its_keys_twice);
	TEST(module_that_is_its_own_child_is_left_out_with_a_note);
	TEST(shared_children_cannot_expand_without_end);
	TEST(module_below_a_dict_is_flattened_too);
	TEST(ordered_dicts_of_python_2_in_a_module);
	TEST(what_torch_compile_makes_has_its_keys_behind_orig_mod);
	TEST(a_compiled_module_may_be_a_child);
	TEST(an_optimized_module_of_no_module_is_an_object);
	TEST(packed_weights_of_quantized_layers_are_told_of);
	return tap_done();
}
