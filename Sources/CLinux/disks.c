// Bounded places on disk: loop devices, ext4 images and project quotas.
#include "clinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <linux/quota.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

int clinux_loop_attach(int file, char *path, size_t size) {
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (control < 0)
        return -errno;
    int result = -EBUSY;
    // Between asking for a free device and taking it another process may take it: ask again.
    for (int attempt = 0; attempt < 64 && result == -EBUSY; attempt++) {
        int number = ioctl(control, LOOP_CTL_GET_FREE);
        if (number < 0) {
            result = -errno;
            break;
        }
        snprintf(path, size, "/dev/loop%d", number);
        int device = open(path, O_RDWR | O_CLOEXEC);
        if (device < 0) {
            result = -errno;
            break;
        }
        // In one step, so that nobody sees the device half set up (Linux 5.8).
        struct loop_config configuration = {.fd = (uint32_t)file, .info = {.lo_flags = LO_FLAGS_AUTOCLEAR}};
        if (ioctl(device, LOOP_CONFIGURE, &configuration) == 0) {
            result = device;
            break;
        }
        result = -errno;
        close(device);
    }
    close(control);
    return result;
}

int clinux_mount_ext4(const char *device, const char *directory) {
    // noinit_itable: the image is a sparse file, its inode tables are zero already.
    return mount(device, directory, "ext4", MS_NODEV | MS_NOATIME, "noinit_itable") < 0 ? -errno : 0;
}

int clinux_unmount(const char *directory) {
    return umount2(directory, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 ? -errno : 0;
}

// quotactl_fd(2), Linux 5.14: by a file of the file system, so that no device has to be looked for.
static int quota(int descriptor, int command, uint32_t project, void *argument) {
#ifdef SYS_quotactl_fd
    return syscall(SYS_quotactl_fd, descriptor, QCMD(command, PRJQUOTA), project, argument) < 0 ? -errno : 0;
#else
    return -ENOSYS;
#endif
}

int clinux_has_project_quota(int descriptor) {
    // Counting alone is not enough: ext4 with the feature but mounted without “prjquota” counts and lets everything pass.
    struct fs_quota_statv state = {.qs_version = FS_QSTATV_VERSION1};
    int code = quota(descriptor, Q_XGETQSTATV, 0, &state);
    if (code < 0)
        return code;
    return (state.qs_flags & FS_QUOTA_PDQ_ENFD) != 0;
}

int clinux_set_project(int descriptor, uint32_t project) {
    struct fsxattr attributes;
    if (ioctl(descriptor, FS_IOC_FSGETXATTR, &attributes) < 0)
        return -errno;
    attributes.fsx_projid = project;
    attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
    return ioctl(descriptor, FS_IOC_FSSETXATTR, &attributes) < 0 ? -errno : 0;
}

int64_t clinux_project(int descriptor) {
    struct fsxattr attributes;
    return ioctl(descriptor, FS_IOC_FSGETXATTR, &attributes) < 0 ? -errno : (int64_t)attributes.fsx_projid;
}

int clinux_set_project_quota(int descriptor, uint32_t project, uint64_t bytes, uint64_t inodes) {
    // Limits are in KiB blocks (quotactl(2)).
    struct if_dqblk limits = {
        .dqb_bhardlimit = (bytes + 1023) / 1024, .dqb_ihardlimit = inodes, .dqb_valid = QIF_LIMITS};
    return quota(descriptor, Q_SETQUOTA, project, &limits);
}

int clinux_project_quota(int descriptor, uint32_t project, uint64_t *bytes, uint64_t *inodes, uint64_t *used_bytes,
                         uint64_t *used_inodes) {
    struct if_dqblk now = {0};
    int code = quota(descriptor, Q_GETQUOTA, project, &now);
    if (code < 0)
        return code;
    *bytes = now.dqb_bhardlimit * 1024;
    *inodes = now.dqb_ihardlimit;
    *used_bytes = now.dqb_curspace;
    *used_inodes = now.dqb_curinodes;
    return 0;
}
