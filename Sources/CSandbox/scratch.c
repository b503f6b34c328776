// Where throw-away layers live: a tmpfs, or an empty ext4 file system of an exact size that the agent has made.
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

static int set_number(int context, const char *key, unsigned long long value) {
    char number[32];
    snprintf(number, sizeof number, "%llu", value);
    return fsconfig(context, FSCONFIG_SET_STRING, key, number, 0);
}

int csandbox_scratch(struct sandbox *sandbox) {
    const struct csandbox_plan *plan = sandbox->plan;
    int is_image = plan->scratch_device != CSANDBOX_NONE;
    int context = fsopen(is_image ? "ext4" : "tmpfs", FSOPEN_CLOEXEC);
    if (context < 0)
        return -1;
    int wrong;
    if (is_image) {
        // The image is a sparse file: its inode tables are zero already.
        wrong = fsconfig(context, FSCONFIG_SET_STRING, "source", csandbox_string(sandbox, plan->scratch_device), 0) < 0
            || fsconfig(context, FSCONFIG_SET_FLAG, "noinit_itable", NULL, 0) < 0;
    } else {
        wrong = fsconfig(context, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0
            || set_number(context, "uid", sandbox->root_id) < 0 || set_number(context, "gid", sandbox->root_id) < 0
            || (plan->scratch_bytes > 0 && set_number(context, "size", plan->scratch_bytes) < 0)
            || (plan->scratch_inodes > 0 && set_number(context, "nr_inodes", plan->scratch_inodes) < 0);
    }
    int mount = -1;
    if (!wrong && fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
        mount = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV);
    int code = errno;
    close(context);
    errno = code;
    return mount;
}
