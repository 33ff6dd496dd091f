/* Mount options: what is taken, what is passed on, what is refused by name. */
#include "../../src/cli/opts.h"

#include "tap.h"

static struct mount_opts parsed(const char *list)
{
	struct mount_opts o;
	struct err e = {0};

	opts_init(&o);
	EQ_I64(opts_parse(&o, list, &e), 0);
	EQ_STR(e.text, "");
	EQ_I64(opts_finish(&o, &e), 0);
	return o;
}

static void refused(const char *list, const char *says)
{
	struct mount_opts o;
	struct err e = {0};
	int r;

	opts_init(&o);
	r = opts_parse(&o, list, &e);
	if (r == 0)
		r = opts_finish(&o, &e);
	EQ_I64(r, ERR_USAGE);
	HAS(e.text, says);
	opts_release(&o);
}

static void own_options_are_set(void)
{
	struct mount_opts o = parsed("salvage,show_hidden,noxattr,quiet,max_names=77,uid=5,gid=6");

	OK(o.volume.salvage && o.volume.show_hidden && o.fs.noxattr && o.fs.quiet);
	EQ_I64(o.volume.max_names, 77);
	EQ_I64(o.fs.uid, 5);
	EQ_I64(o.fs.gid, 6);
	EQ_STR(o.fs.fuse_opts, "");
	opts_release(&o);
}

static void nothing_said_leaves_the_defaults(void)
{
	struct mount_opts o = parsed("");

	OK(o.fs.uid == (uid_t)-1 && o.fs.gid == (gid_t)-1);
	OK(o.fs.fmask == (mode_t)-1 && o.fs.dmask == (mode_t)-1);
	OK(o.fs.entry_timeout < 0 && o.fs.attr_timeout < 0 && o.fs.negative_timeout < 0);
	opts_release(&o);
}

static void the_gate_has_three_ways_and_the_devices_names(void)
{
	static const struct {
		const char *list;
		enum validate how;
		const char *device;
	} cases[] = {{"validate=off", VALIDATE_OFF, ""}, {"validate=strict,device=cuda:12", VALIDATE_STRICT, "cuda:12"},
			{"device=cpu,validate=warn", VALIDATE_WARN, "cpu"}, {"device=cuda,device=auto", VALIDATE_WARN, "auto"},
			{"ro", VALIDATE_WARN, ""}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct mount_opts o = parsed(cases[i].list);

		EQ_I64(o.volume.validate, cases[i].how);
		EQ_STR(o.volume.device ? o.volume.device : "", cases[i].device);
		opts_release(&o);
	}
	refused("validate=", "validate='': that is not off, warn or strict");
	refused("validate=Strict", "that is not off, warn or strict");
	refused("device=cuda:", "that is not cpu, cuda, cuda:N or auto");
	refused("device=cuda:-1", "that is not cpu");
	refused("device=cuda:00000000000000001", "that is not cpu");
	refused("device=gpu", "that is not cpu");
	refused("validate", "unknown mount option 'validate'");
}

static void a_special_mask_wins_over_umask(void)
{
	struct mount_opts o = parsed("fmask=037,umask=022");

	EQ_I64(o.fs.fmask, 037);
	EQ_I64(o.fs.dmask, 022);
	opts_release(&o);
}

static void libfuse_options_pass_through_in_order(void)
{
	struct mount_opts o = parsed("allow_other,ro,noexec,fsname=x,nofail,auto_unmount");

	EQ_STR(o.fs.fuse_opts, "allow_other,noexec,fsname=x,auto_unmount");
	opts_release(&o);
}

static void commas_and_backslashes_in_values_stay_escaped(void)
{
	struct mount_opts o = parsed("fsname=a\\,b\\\\c,allow_other");

	EQ_STR(o.fs.fuse_opts, "fsname=a\\,b\\\\c,allow_other");
	opts_release(&o);
}

static void words_of_fstab_mean_nothing(void)
{
	struct mount_opts o = parsed("defaults,user,user=joe,noauto,nofail,_netdev,x-a=b,X-c,,"
				     "comment=,relatime");

	EQ_STR(o.fs.fuse_opts, "");
	opts_release(&o);
}

/* mount(8) says rw where nobody said ro, and mount.fuse3 always says dev and suid or not. */
static void rw_of_mount_is_nobodys_wish(void)
{
	struct mount_opts o = parsed("rw,dev,suid");

	OK(opts_from_mount(&o));
	OK(o.volume.mode == VOLUME_READ && !o.fs.rw);
	opts_release(&o);
	o = parsed("rw,nosuid,nodev,noexec");
	OK(opts_from_mount(&o));
	OK(!o.fs.rw);
	opts_release(&o);
}

static void edited_is(const char *list)
{
	struct mount_opts o = parsed(list);

	OK(o.volume.mode == VOLUME_RW && o.fs.rw);
	EQ_STR(o.fs.fuse_opts, "");
	opts_release(&o);
}

static void rw_is_read_write_and_edit_is_so_everywhere(void)
{
	edited_is("rw");
	edited_is("rw,nodev");
	edited_is("edit");
	edited_is("rw,edit,dev,suid");
	edited_is("rw,inplace");
	edited_is("edit,compact");
}

static void how_to_commit_means_nothing_without_rw(void)
{
	refused("inplace", "-o inplace says how to commit: it needs -o rw");
	refused("compact,ro", "-o compact says how to commit: it needs -o rw");
	refused("rw,inplace,dev,suid", "fstab: edit");
}

static void what_contradicts_rw_is_refused(void)
{
	refused("rw,ro", "-o ro and -o rw contradict");
	refused("ro,edit,dev,suid", "-o ro and -o edit contradict");
	refused("salvage,rw", "-o salvage");
	refused("salvage,edit,dev,suid", "-o salvage");
}

static void unknown_and_misspelt_options_are_named(void)
{
	refused("ro,frob", "'frob'");
	refused("uid", "'uid'");
	refused("quiet=1", "'quiet=1'");
	refused("x", "'x'");
	refused("fsname", "'fsname'");
}

static void values_that_make_no_sense_are_refused(void)
{
	refused("umask=8", "umask=");
	refused("umask=1000", "umask=");
	refused("umask=", "umask=");
	refused("max_names=4294967296", "max_names=");
	refused("max_names=+1", "max_names=");
	refused("uid=4294967295", "uid=");
	refused("uid=nobody-here", "'nobody-here': that is not a user's name or number");
	refused("umask=9", "not an octal mask");
	refused("attr_timeout=-1", "attr_timeout=");
	refused("attr_timeout=nan", "attr_timeout=");
	refused("attr_timeout=1s", "attr_timeout=");
	refused("remount", "remount");
}

static void a_sloppy_mount_passes_over_what_it_does_not_know(void)
{
	struct mount_opts o;
	struct err e = {0};

	opts_init(&o);
	o.sloppy = true;
	EQ_I64(opts_parse(&o, "frob,allow_other", &e), 0);
	EQ_I64(opts_finish(&o, &e), 0);
	EQ_STR(o.fs.fuse_opts, "allow_other");
	opts_release(&o);
}

int main(void)
{
	TEST(own_options_are_set);
	TEST(nothing_said_leaves_the_defaults);
	TEST(the_gate_has_three_ways_and_the_devices_names);
	TEST(a_special_mask_wins_over_umask);
	TEST(libfuse_options_pass_through_in_order);
	TEST(commas_and_backslashes_in_values_stay_escaped);
	TEST(words_of_fstab_mean_nothing);
	TEST(rw_of_mount_is_nobodys_wish);
	TEST(rw_is_read_write_and_edit_is_so_everywhere);
	TEST(how_to_commit_means_nothing_without_rw);
	TEST(what_contradicts_rw_is_refused);
	TEST(unknown_and_misspelt_options_are_named);
	TEST(values_that_make_no_sense_are_refused);
	TEST(a_sloppy_mount_passes_over_what_it_does_not_know);
	return tap_done();
}
