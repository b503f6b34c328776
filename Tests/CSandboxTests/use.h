#ifndef GRACE_CSANDBOX_USE_H
#define GRACE_CSANDBOX_USE_H

// Reads everything that later parts read of a plan that was accepted; past its end lies unmapped memory.
static size_t use_string(const struct csandbox_plan *plan, uint32_t offset) { return strlen((const char *)plan + offset); }

static size_t use(const struct csandbox_plan *plan) {
    size_t sum = use_string(plan, plan->hostname) + use_string(plan, plan->stage);
    const struct csandbox_overlay *overlays = (const void *)((const char *)plan + plan->overlays);
    for (uint32_t i = 0; i < plan->overlay_count; i++) {
        const struct csandbox_overlay *overlay = &overlays[i];
        sum += use_string(plan, overlay->mount_point);
        if (overlay->live != CSANDBOX_NONE)
            sum += use_string(plan, overlay->live);
        for (uint32_t j = 0; j < overlay->lower_count; j++)
            sum += use_string(plan, overlay->lowers[j]);
        if (overlay->base != CSANDBOX_NONE)
            sum += use_string(plan, overlay->base) + use_string(plan, overlay->upper) + use_string(plan, overlay->work);
        if (overlay->stacked)
            sum += use_string(plan, overlay->under_base) + use_string(plan, overlay->under_upper)
                + use_string(plan, overlay->under_work);
    }
    const uint32_t *masks = (const void *)((const char *)plan + plan->masks);
    for (uint32_t i = 0; i < plan->mask_count; i++)
        sum += use_string(plan, masks[i]);
    if (plan->scratch_device != CSANDBOX_NONE)
        sum += use_string(plan, plan->scratch_device);
    if (plan->resolver != CSANDBOX_NONE)
        sum += use_string(plan, plan->resolver);
    return sum;
}

#endif
