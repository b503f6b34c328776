// libFuzzer on the plan's reader: scripts/test-csandbox --fuzz SECONDS.
#include "support.h"

#include "use.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static struct flat flat;
    // Half of the inputs are bytes; the others lie over a plan that is right, so that the fuzzer starts behind the first checks.
    size_t length = size;
    if (size > 0 && size < 2048 && (bytes[0] & 1)) {
        struct trial trial = {.mode = CSANDBOX_MAPPED};
        snprintf(place, sizeof place, "/p");
        make_plan(&flat, &trial);
        for (size_t i = 1; i + 2 < size; i += 3) {
            size_t where = (size_t)(bytes[i] | bytes[i + 1] << 8) % flat.size;
            if (where >= 12)  // not the magic number, the version and the size
                flat.bytes[where] = (char)bytes[i + 2];
        }
        length = flat.size;
    } else {
        length = size < sizeof flat.bytes ? size : sizeof flat.bytes;
        memcpy(flat.bytes, bytes, length);
    }
    int file = flat_file(flat.bytes, length);
    const char *reason = NULL;
    const struct csandbox_plan *plan = csandbox_read_plan(file, &reason);
    close(file);
    if ((plan != NULL) != (reason == NULL))
        abort();
    if (plan != NULL)
        use(plan);
    fault_unmap();
    return 0;
}
