// Reading the plan: everything in it is checked here, once, so that no later part has to.
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int is_string(const struct csandbox_plan *plan, uint32_t offset) {
    if (offset < sizeof *plan || offset >= plan->size)
        return 0;
    return memchr((const char *)plan + offset, 0, plan->size - offset) != NULL;
}

static int is_array(const struct csandbox_plan *plan, uint32_t offset, uint32_t count, size_t item) {
    return offset >= sizeof *plan && offset % 8 == 0 && offset <= plan->size && count <= (plan->size - offset) / item;
}

static int is_absolute(const struct csandbox_plan *plan, uint32_t offset) {
    return is_string(plan, offset) && ((const char *)plan)[offset] == '/';
}

// A name below a layer's base: it goes into an overlay option, where these characters mean something else.
static int is_plain_name(const struct csandbox_plan *plan, uint32_t offset) {
    if (!is_string(plan, offset))
        return 0;
    const char *name = (const char *)plan + offset;
    return name[0] != 0 && name[0] != '/' && strpbrk(name, ",:\\") == NULL && strstr(name, "..") == NULL;
}

static const char *check_overlay(const struct csandbox_plan *plan, const struct csandbox_overlay *overlay) {
    if (!is_absolute(plan, overlay->mount_point))
        return "an overlay's mount point is no absolute path";
    if (overlay->live != CSANDBOX_NONE && !is_absolute(plan, overlay->live))
        return "an overlay's lowest layer is no absolute path";
    if (overlay->lower_count > CSANDBOX_MAX_LOWERS)
        return "an overlay has too many lower layers";
    for (uint32_t i = 0; i < overlay->lower_count; i++)
        if (!is_absolute(plan, overlay->lowers[i]))
            return "a lower layer is no absolute path";
    if (overlay->base != CSANDBOX_NONE) {
        if (!is_absolute(plan, overlay->base))
            return "an upper layer is no absolute path";
        if (!is_plain_name(plan, overlay->upper) || !is_plain_name(plan, overlay->work))
            return "an upper layer's name holds a character that overlayfs cannot take";
    }
    if (overlay->stacked) {
        if (overlay->lower_count != 1 || !is_absolute(plan, overlay->under_base))
            return "a stacked overlay needs exactly one lower layer and a base";
        if (!is_plain_name(plan, overlay->under_upper) || !is_plain_name(plan, overlay->under_work))
            return "a lower layer's name holds a character that overlayfs cannot take";
    }
    return NULL;
}

static const char *check(const struct csandbox_plan *plan) {
    if (plan->mode < CSANDBOX_MAPPED || plan->mode > CSANDBOX_USER)
        return "the mode is unknown";
    if (plan->mode == CSANDBOX_MAPPED
        && (plan->mapped_first == 0 || plan->mapped_count < 65536 || plan->mapped_first > UINT32_MAX - plan->mapped_count))
        return "the id map is out of range";
    if (plan->cgroup_count > CSANDBOX_MAX_CGROUPS)
        return "there are too many control groups";
    if (!is_string(plan, plan->hostname) || strlen((const char *)plan + plan->hostname) > 64)
        return "the host name is missing or longer than 64 bytes";
    if (!is_absolute(plan, plan->stage))
        return "the stage is no absolute path";
    if (plan->scratch_device != CSANDBOX_NONE && !is_absolute(plan, plan->scratch_device))
        return "the device of the private layers is no absolute path";
    if (plan->overlay_count == 0 || plan->overlay_count > CSANDBOX_MAX_OVERLAYS
        || !is_array(plan, plan->overlays, plan->overlay_count, sizeof(struct csandbox_overlay)))
        return "the overlays do not fit";
    const struct csandbox_overlay *overlays = (const void *)((const char *)plan + plan->overlays);
    for (uint32_t i = 0; i < plan->overlay_count; i++) {
        const char *wrong = check_overlay(plan, &overlays[i]);
        if (wrong != NULL)
            return wrong;
    }
    if (strcmp((const char *)plan + overlays[0].mount_point, "/") != 0)
        return "the first overlay is not that of /";
    if (plan->mask_count > CSANDBOX_MAX_MASKS || !is_array(plan, plan->masks, plan->mask_count, sizeof(uint32_t)))
        return "the masks do not fit";
    const uint32_t *masks = (const void *)((const char *)plan + plan->masks);
    for (uint32_t i = 0; i < plan->mask_count; i++)
        if (!is_absolute(plan, masks[i]))
            return "a mask is no absolute path";
    if (plan->resolver != CSANDBOX_NONE
        && (!is_string(plan, plan->resolver) || strlen((const char *)plan + plan->resolver) > 1024))
        return "the resolver's configuration is missing or longer than 1024 bytes";
    return NULL;
}

// What a memfd holds, in memory of this process's own. Not a mapping of it: whoever still holds the memfd could change that after the
// check, or cut it short, which ends the reader with SIGBUS. So it needs no seals. NULL and errno.
static void *private_copy(int descriptor, size_t size) {
    void *copy = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (copy == MAP_FAILED)
        return NULL;
    ssize_t got = pread(descriptor, copy, size, 0);
    if (got == (ssize_t)size)
        return copy;
    int code = got < 0 ? errno : EIO;  // it shrank meanwhile
    munmap(copy, size);
    errno = code;
    return NULL;
}

const struct csandbox_plan *csandbox_read_plan(int descriptor, const char **reason) {
    struct stat status;
    if (fstat(descriptor, &status) < 0) {
        *reason = "there is no plan on descriptor 3 (this program is started by grace, not by hand)";
        return NULL;
    }
    if (status.st_size < (off_t)sizeof(struct csandbox_plan) || status.st_size > CSANDBOX_MAX_PLAN) {
        *reason = "the plan has an impossible size";
        errno = EINVAL;
        return NULL;
    }
    struct csandbox_plan *plan = private_copy(descriptor, (size_t)status.st_size);
    if (plan == NULL) {
        *reason = "the plan cannot be read";
        return NULL;
    }
    if (plan->magic != CSANDBOX_MAGIC || plan->version != CSANDBOX_VERSION || plan->size != (uint64_t)status.st_size)
        *reason = "the plan is of another version: grace and grace-sandbox are not of one build";
    else
        *reason = check(plan);
    if (*reason == NULL)
        return plan;
    munmap(plan, (size_t)status.st_size);  // the zygote goes on
    errno = EINVAL;
    return NULL;
}
