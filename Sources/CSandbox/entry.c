#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int csandbox_main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "run") == 0)
        return csandbox_launch();
    if (argc == 4 && strcmp(argv[1], "zygote") == 0)
        return csandbox_zygote((uint32_t)strtoul(argv[2], NULL, 10), (uint32_t)strtoul(argv[3], NULL, 10));
    if (argc >= 2 && strcmp(argv[1], "thaw") == 0)
        return csandbox_thaw(argc, argv);
    if (argc >= 2 && strcmp(argv[1], "probe") == 0)
        return csandbox_probe(argc, argv);
    fprintf(stderr, "grace-sandbox is started by grace: zygote FIRST COUNT | run | thaw PATH VALUE SECONDS | probe\n");
    return 2;
}
