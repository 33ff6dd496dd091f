/* opts.h - what can be said after -o. */
#ifndef PTHFS_CLI_OPTS_H
#define PTHFS_CLI_OPTS_H

#include <pthfs/err.h>
#include <pthfs/fs.h>
#include <pthfs/volume.h>

struct mount_opts {
	struct volume_opts volume;
	struct fs_opts fs; /* .fuse_opts is made by opts_finish() */
	struct buf fuse;   /* collects it */
	bool nonempty, verbose;
	bool rw, ro, edit; /* the words were there */
	bool dev, suid; /* (no)dev and (no)suid were there: only mount(8) says both */
	bool remount;
	bool sloppy;                  /* unknown options are passed over */
	uint32_t umask, fmask, dmask; /* OPT_UNSET, or octal */
};

#define OPT_UNSET UINT32_MAX

void opts_init(struct mount_opts *o);
void opts_release(struct mount_opts *o);
/* One word after -o: a list separated by commas, in which a backslash takes the next byte as it
 * is. ERR_USAGE names the option that is unknown or has a wrong value. */
int opts_parse(struct mount_opts *o, const char *list, struct err *e);
/* After the last: masks laid together, what contradicts itself refused; read-write is in
 * volume.mode and fs.rw then. */
int opts_finish(struct mount_opts *o, struct err *e);
/* Called by mount(8), directly or through mount.fuse3? */
static inline bool opts_from_mount(const struct mount_opts *o)
{
	return o->dev && o->suid;
}

#endif
