/* sink_attrs.c - the new file gets what the old one had: owner, extended attributes, ACL, mode.
 *
 * In this order: a change of owner takes setuid bits away, so the mode is last; extended
 * attributes need write permission, so they come while the mode is still 0600. An ACL that the
 * temporary inherited from its folder and the old file does not have is taken off, since fchmod()
 * would open it to the people it names.
 *
 * Who is not root may be unable to give the file to its owner; then it is the writer's, as with
 * every editor, and without setuid bits. Attributes of other kinds (security, trusted) and flags
 * (chattr) are the file system's to give.
 */
#include "sink_in.h"

#include <errno.h>
#include <string.h>

#include <pthfs/cleanup.h>
#include <pthfs/sys.h>

#define ACL "system.posix_acl_access"
#define XATTR_MAX (64u << 10) /* the kernel's limit for a value, and for all names */

/* The mode that open(2) would have given to a new file. */
static mode_t fresh_mode(void)
{
	unsigned mask = 077;
	char line[128];
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "Umask: %o", &mask) == 1)
			break;
	if (f)
		fclose(f);
	return 0666 & ~(mode_t)mask;
}

/* *kept: whether the file now is the old one's owner's. */
static int copy_owner(struct sink *s, bool *kept, struct err *e)
{
	const struct stat *old = &s->old_st;
	struct stat now;

	if (fstat(s->fd, &now) < 0)
		return err_sys(e, errno, "cannot look at the new file");
	*kept = true;
	if ((now.st_uid == old->st_uid && now.st_gid == old->st_gid) ||
			sys_chown(s->fd, old->st_uid, old->st_gid) == 0)
		return 0;
	if (errno != EPERM || geteuid() == 0)
		return err_sys(e, errno, "cannot give the new file to its owner, %u:%u",
			(unsigned)old->st_uid, (unsigned)old->st_gid);
	*kept = false;
	if (now.st_gid != old->st_gid && sys_chown(s->fd, (uid_t)-1, old->st_gid) < 0 &&
			errno != EPERM)
		return err_sys(e, errno, "cannot give the new file to its group, %u",
			(unsigned)old->st_gid);
	return 0;
}

static bool is_copied(const char *name)
{
	return !strncmp(name, "user.", 5) || !strcmp(name, ACL);
}

static int copy_xattr(struct sink *s, const char *name, char *value, struct err *e)
{
	ssize_t n = fgetxattr(s->old, name, value, XATTR_MAX);

	if (n < 0)
		return err_sys(e, errno, "cannot read the attribute %s", name);
	/* EOPNOTSUPP: made like a file on another file system that has them. */
	if (sys_setxattr(s->fd, name, value, (size_t)n) < 0 && errno != EOPNOTSUPP)
		return err_sys(e, errno, "cannot give the new file the attribute %s", name);
	return 0;
}

static int copy_xattrs(struct sink *s, bool *acl, struct err *e)
{
	_cleanup_(freep) char *names = NULL;
	ssize_t n = flistxattr(s->old, NULL, 0);
	int r = 0;

	if (n <= 0)
		return n == 0 || errno == EOPNOTSUPP
			? 0
			: err_sys(e, errno, "cannot list the attributes of the file");
	names = sys_malloc(2 * XATTR_MAX); /* names, then one value */
	if (!names)
		return err_nomem(e);
	n = flistxattr(s->old, names, XATTR_MAX);
	if (n < 0)
		return err_sys(e, errno, "cannot list the attributes of the file");
	for (char *p = names; r == 0 && p < names + n; p += strlen(p) + 1) {
		*acl |= !strcmp(p, ACL);
		if (is_copied(p))
			r = copy_xattr(s, p, names + XATTR_MAX, e);
	}
	return r;
}

static int set_mode(struct sink *s, mode_t mode, struct err *e)
{
	struct stat now;

	if (fstat(s->fd, &now) < 0)
		return err_sys(e, errno, "cannot look at the new file");
	if ((now.st_mode & 07777) != mode && sys_chmod(s->fd, mode) < 0)
		return err_sys(e, errno, "cannot give the new file the mode %04o", (unsigned)mode);
	return 0;
}

int sink_copy_attrs(struct sink *s, struct err *e)
{
	bool kept = true, acl = false;
	int r;

	if (s->old < 0)
		return set_mode(s, fresh_mode(), e);
	r = copy_owner(s, &kept, e);
	if (r == 0)
		r = copy_xattrs(s, &acl, e);
	if (r < 0)
		return r;
	if (!acl && fgetxattr(s->fd, ACL, NULL, 0) > 0 && sys_removexattr(s->fd, ACL) < 0)
		return err_sys(e, errno, "cannot take the directory's ACL off the new file");
	return set_mode(s, s->old_st.st_mode & (kept ? 07777 : 0777), e);
}
